"""Tables of different pivots beside each other: in the gate, on a leaderboard, and as averages of enhancements."""

import csv
import io
import json
from dataclasses import replace

import pytest
from helpers.commands import invoke
from helpers.enhancement_scores import FIRST, SECOND, SPECIFIC, scores_of
from helpers.gate_folders import answers, make_results
from helpers.pivot_folders import with_pivot
from helpers.report_folders import make_folder
from helpers.task_scores import accuracy

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.enhancement.changes import change_tables, mean_tables
from mwork_eval.gate.check import check_folders
from mwork_eval.gate.formats.json import as_json
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import read_baseline, write_baseline
from mwork_eval.leaderboard.board import build_board
from mwork_eval.leaderboard.exports import render_export
from mwork_eval.leaderboard.site import render_site
from mwork_eval.reports.formats.json import as_json as report_as_json
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.summaries.matrix import read_matrix
from mwork_eval.results.tables import read_results
from mwork_eval.views.enhancement import enhancement_as_json, enhancement_as_markdown, finding, legend

# Gate


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A folder with English that the gate can read, and the same with Chinese in its place."""
    before = {("xquad", code): answers(24, 20) for code in ("en", "zh", "es")}
    masked = {
        (row, mask, None, code): answers(24, 8 if (code, row) == (mask, "LS all") else 19)
        for row in ("LS all", "R all")
        for mask in ("zh", "es")
        for code in (mask, "en")
    }
    english = make_results(tmp_path_factory.mktemp("english") / "o", before, masked=masked)
    return english, with_pivot(english, tmp_path_factory.mktemp("pivot") / "o")


def test_deltas_of_different_pivots_cannot_be_compared(gated):
    check = check_folders(*gated, Limits(), strict=False)
    (problem,) = [one for one in check.problems if one.subject == "∆ of all tables"]
    assert problem.reason == "∆ against another pivot; found zh in NEW; expected en as in OLD"
    assert (check.rows, check.exit_code) == ([], 2)
    said = invoke("check", gated[1], "--baseline", gated[0], code=2).output
    assert "∆ of all tables: could not compare: ∆ against another pivot; found zh in NEW" in said.replace("\n", " ")


def test_deltas_of_one_pivot_are_compared_and_it_is_said(gated):
    english, chinese = (check_folders(folder, folder, Limits(), strict=False) for folder in gated)
    assert chinese.exit_code == english.exit_code == 0
    assert [row.row.delta for row in chinese.rows] == [row.row.delta for row in english.rows]
    assert [row.row.pivot for row in chinese.rows] == ["zh"] * 2
    note = "∆ compares Chinese (∆zh) with the other languages (∆n-zh)."
    assert note in chinese.notes
    assert note not in english.notes
    assert [row["pivot"] for row in json.loads(as_json(chinese))["rows"]] == ["zh"] * 2
    assert not any("pivot" in row for row in json.loads(as_json(english))["rows"])


def test_a_written_baseline_keeps_the_pivot(gated, tmp_path):
    for folder, pivot in zip(gated, ("en", "zh"), strict=True):
        write_baseline(read_snapshot(folder), tmp_path / pivot)
        assert read_baseline(tmp_path / pivot).pivot == pivot
        text = (tmp_path / pivot / "baseline.json").read_text(encoding="utf-8")
        assert ("pivot" in json.loads(text)) == (pivot == "zh")
    assert check_folders(tmp_path / "en", gated[1], Limits(), strict=False).exit_code == 2


# Leaderboard


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder with English, and the same with Chinese in its place."""
    english = make_folder(tmp_path_factory.mktemp("english") / "o")
    return english, with_pivot(english, tmp_path_factory.mktemp("pivot") / "o")


def test_a_report_of_another_pivot_is_read_as_its_folder_is(folders, tmp_path):
    chinese = folders[1]
    computed = read_matrix(chinese).changes
    path = chinese / "report.json"
    path.write_text(report_as_json(read_results(chinese)), encoding="utf-8")
    try:
        assert read_matrix(chinese).changes == computed
        assert {change.pivot for change in computed} == {"zh"}
        report = json.loads(path.read_text(encoding="utf-8"))
        del report["digest"]
        for row in report["tables"][0]["rows"]:
            row["delta"]["delta_zh"]["value"] = 77.0
        path.write_text(json.dumps(report), encoding="utf-8")
        assert {change.values["delta_eng"][0] for change in read_matrix(chinese).changes} == {77.0}
        # A report of another pivot is not of this folder, whose tables are then computed anew.
        path.write_text(json.dumps(report | {"pivot": "en"}), encoding="utf-8")
        assert read_matrix(chinese).changes == computed
    finally:
        path.unlink()


def test_deltas_of_different_pivots_never_share_a_column(folders):
    read, _ = read_all(find_results(folders))
    renamed = [replace(change, contender=replace(change.contender, model="other")) for change in read[1].changes]
    board = build_board([read[0], replace(read[1], changes=renamed)])
    (benchmark,) = board.benchmarks
    assert len(benchmark.groups) == 6
    assert all({change.pivot for change in group.changes.values()} == {group.pivot} for group in benchmark.groups)
    files = render_site(board)
    (place,) = {name.rpartition("/")[0] for name in files if name.startswith("tasks/")}
    english, chinese = (
        list(csv.DictReader(io.StringIO(files[f"{place}/{name}.csv"].decode()))) for name in ("changes", "changes-zh")
    )
    assert {"delta_eng", "delta_non_eng", "delta"} <= english[0].keys()
    assert "pivot" not in english[0]
    assert {"delta_zh", "delta_zh_low", "delta_non_zh", "delta", "pivot"} <= chinese[0].keys()
    assert not {"delta_eng", "delta_non_eng"} & chinese[0].keys()
    assert {row["model"] for row in english} == {"tiny"}
    assert {row["model"] for row in chinese} == {"other"}
    assert [row["delta_zh"] for row in chinese] == [row["delta_eng"] for row in english]
    page = files[f"{place}/index.html"].decode()
    assert "∆ LS under\n(zh es; 24 documents)" in page
    assert "∆ LS under\n(en es against zh; 24 documents)" in page
    assert "∆zh: change of Chinese under the masks" in page
    assert "∆Eng: change of English under the masks" in page
    assert page.count("What changes when neurons are deactivated") == 2
    assert "What changes when neurons are deactivated, against Chinese" in page
    assert "changes-zh.csv" in files
    of_other = next(text for name, text in files.items() if name.startswith("models/other") and "index" in name)
    assert "∆n-zh" in of_other.decode()
    assert "∆n-Eng" not in of_other.decode()


def test_a_data_set_has_a_table_for_each_pivot(folders):
    pytest.importorskip("datasets")
    files = render_export("dataset", build_board(read_all(find_results(folders))[0]), with_masked=False)
    assert {name.rpartition("/")[2] for name in files} == {
        "scores.parquet", "changes.parquet", "changes-zh.parquet", "README.md",
    }  # fmt: skip
    card = files["export/dataset/README.md"].decode()
    assert "config_name: changes-zh" in card
    assert "`changes-zh` has the tables that compare with Chinese" in card


# Enhancement

FAMILY = TaskFamily("xquad", ("es", "zh", "en", "de"))
ES = [replace(one, languages=("es",)) for one in (SPECIFIC, FIRST, SECOND)]


def scores():
    own = {None: [0, 0, 1, 1], ES[0]: [1, 1, 1, 1], ES[1]: [1, 0, 1, 1], ES[2]: [0, 0, 1, 0]}
    pivot = {None: [1, 0, 1, 0], ES[0]: [0, 0, 1, 0], ES[1]: [1, 0, 1, 0], ES[2]: [1, 0, 1, 0]}
    return scores_of(
        FAMILY, {who: [accuracy(*own[who]), accuracy(*pivot[who]), accuracy(1, 0), accuracy(0, 1)] for who in own}
    )


def test_enhancement_compares_the_trained_language_with_the_pivot():
    (table,) = change_tables(ES, [FAMILY], scores(), "zh")
    heads = [(column.languages, column.against) for column in table.columns]
    assert heads == [
        (("es",), None), (("zh",), None), (("en",), None), (("de",), None), (("en", "de"), None), (("es",), "zh"),
    ]  # fmt: skip
    gains = [column.effects[0].specific.mean.value for column in table.columns]
    assert gains == pytest.approx([50, -25, 0, 0, 0, 75])  # es 50 -> 100, zh 50 -> 25
    assert table.of_pivot is table.columns[1]
    assert table.others is table.columns[4]
    assert finding(table).count("zh -25.0") == 1
    assert "es - zh +75.0" in finding(table)
    assert "en - zh: what en gained and Chinese did not" in legend([table])
    assert "es - zh" in enhancement_as_markdown([table])
    content = json.loads(enhancement_as_json([table], {"pivot": "zh"}))
    assert content["pivot"] == "zh"
    assert "pivot" not in content["tables"][0]
    (mean,) = mean_tables(ES, [FAMILY], scores(), "zh")
    assert [(column.languages, column.against) for column in mean.columns] == [
        (("es",), None), (("zh",), None), (("es",), "zh"),
    ]  # fmt: skip
