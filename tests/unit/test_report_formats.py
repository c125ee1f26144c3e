"""The report's files: CSV, LaTeX, JSON against its schema."""

import csv
import io
import json
import re
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
from helpers.commands import mwork
from helpers.matrix_folders import LS_ALL, R_ALL, save_matrix, two_documents
from helpers.report_folders import HOSTILE, make_folder

from mwork_eval.errors import InputError
from mwork_eval.reports.formats import latex
from mwork_eval.reports.formats.csv import COLUMNS, as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.names import parse_formats
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.tables import read_results

pytest_plugins = ["helpers.report_fixtures"]


# Formats and files


def test_only_the_formats_asked_for_are_written(folder, tmp_path):
    output = mwork("report", folder, "--formats", "tex,csv", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.tex", "report.csv"}
    assert "∆n-Eng" not in output
    assert "∆n-Eng" in mwork("report", folder, "--formats", "terminal", "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_default_is_terminal_markdown_json_and_html_in_the_folder(tmp_path):
    folder = make_folder(tmp_path / "o", documents=3)
    assert "∆n-Eng" in mwork("report", folder)
    assert {path.name for path in folder.glob("report.*")} == {"report.md", "report.json", "report.html"}


def test_several_folders_become_one_report_and_need_a_place(folder, tmp_path):
    other = make_folder(tmp_path / "o", model="other", documents=3)
    assert "several results folders need --out" in mwork("report", folder, other, code=2)
    mwork("report", folder, other, "--formats", "md,html,tex,csv,json", "--out", tmp_path / "both")
    both = tmp_path / "both"
    assert "Model tiny" in (both / "report.md").read_text()
    assert "Model other" in (both / "report.md").read_text()
    assert (both / "report.tex").read_text().count(r"\begin{table}") == 2
    assert len(set(re.findall(r"\\label\{(.+?)\}", (both / "report.tex").read_text()))) == 2
    assert set(json.loads((both / "report.json").read_text())["reports"]) == {str(folder), str(other)}
    assert {row["folder"] for row in csv.DictReader((both / "report.csv").open())} == {str(folder), str(other)}
    page = (both / "report.html").read_text()
    assert page.count("<h1") == 2
    identifiers = re.findall(r' id="(.+?)"', page)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("text", ["pdf", "md,pdf", ",", ""])
def test_an_unknown_format_is_refused(text):
    with pytest.raises(InputError, match="expected some of terminal,md,html,tex,csv,json"):
        parse_formats(text)


# JSON


@pytest.fixture(scope="module")
def schema():
    schema = json.loads((files("mwork_eval.reports") / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_json_follows_its_schema(schema, results, tmp_path):
    unfinished = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    for report in (as_json(results), as_json(unfinished), as_json(results, unfinished)):
        schema.validate(json.loads(report))


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.pop("tables"),
        lambda report: report.update(new=1),
        lambda report: report["tables"][0].update(unit="percent"),
        lambda report: report["tables"][0]["rows"][0]["delta"]["delta"].update(value="1"),
        lambda report: report["tables"][0]["rows"][1]["comparison"].update(p=1.5),
        lambda report: report["cells"][0].update(documents=0),
    ],
)
def test_the_schema_refuses_what_is_not_a_report(schema, results, change):
    report = json.loads(as_json(results))
    change(report)
    assert not schema.is_valid(report)


# CSV


def test_csv_has_every_number_of_the_json_once(results):
    rows = list(csv.DictReader(io.StringIO(as_csv(results))))
    keys = [tuple(row[c] for c in COLUMNS if c not in ("value", "low", "high", "unit")) for row in rows]
    assert len(keys) == len(set(keys))

    def value(quantity, **where):
        where = {"setting": "", "mask_language": "", "language": "", "seed": ""} | where
        (row,) = [r for r in rows if r["quantity"] == quantity and all(r[k] == v for k, v in where.items())]
        return [float(row[column]) if row[column] else None for column in ("value", "low", "high")]

    report = json.loads(as_json(results))
    (table,) = report["tables"]
    count = len(table["counts"]) + len(table["documents"])
    assert table["detectable"] is None  # of two draws; a number that is not there has no row
    assert table["clusters"] == {"en": None, "zh": None, "es": None}
    assert value("neurons", mask_language="zh")[0] == table["counts"]["zh"]
    assert value("documents", language="en")[0] == table["documents"]["en"]
    for row in table["rows"]:
        delta, setting = row["delta"], row["name"]
        count += 5 + len(delta["by_seed"]) + 2 * len(delta["by_language"])
        for name in ("delta_eng", "delta_non_eng", "delta"):
            assert value(name, setting=setting) == [delta[name][key] for key in ("value", "low", "high")]
        assert value("eng", setting=setting)[0] == delta["eng"]
        assert value("non_eng", setting=setting)[0] == delta["non_eng"]
        for seed, by_seed in zip(report["seeds"], delta["by_seed"], strict=False):
            assert value("delta", setting=setting, seed=str(seed))[0] == by_seed
        for language, score in delta["by_language"].items():
            for of, change in ((language, score["own"]), ("en", score["english"])):
                found = value("change", setting=setting, mask_language=language, language=of)
                assert found[0] == pytest.approx(change["difference"])
        if delta["by_seed"]:
            count += 1
            ends = [delta["delta"]["value"], min(delta["by_seed"]), max(delta["by_seed"])]
            assert value("delta_of_draws", setting=setting) == ends
        comparison = row["comparison"] or {"reason": "random"}
        if comparison["reason"] is None:
            count += 5
            assert value("standard_error_of_difference", setting=setting)[0] == comparison["standard_error"]
            assert value("draws", setting=setting)[0] == comparison["draws"] == 2
            assert value("p", setting=setting)[0] == comparison["p"]
            assert value("p_holm", setting=setting)[0] == comparison["p_holm"]
            assert value("difference_from_control", setting=setting)[0] == comparison["difference"]
    for cell in report["cells"]:
        where = {key: "" if cell[key] is None else str(cell[key]) for key in ("setting", "mask_language", "seed")}
        assert value("score", language=cell["language"], **where)[0] == cell["score"]
    assert len(rows) == count + len(report["cells"])


def test_csv_leaves_out_what_is_not_computed(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert all(row["value"] for row in rows)
    assert sum(row["quantity"] == "score" for row in rows) == 5
    assert not any(row["quantity"] == "p" for row in rows)


# LaTeX


def test_a_latex_table_has_as_many_cells_in_every_row_and_closes_what_it_opens(tmp_path):
    text = as_latex(read_results(make_folder(tmp_path, model=HOSTILE + "\\input{x} 50% $a_b^c$ #1 ~", documents=3)))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 4
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", body)[1]
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(columns)}
    depth = 0
    for sign in re.findall(r"\\[{}]|[{}]", body):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert r"\textbackslash{}input\{x\} 50\% \$a\_b\textasciicircum{}c\$ \#1 \textasciitilde{}" in body
    assert r"\textless{}script\textgreater{}" in body
    assert "\u202e" not in text
    assert r"\label{tab:mine-xquad}" in body


def test_a_latex_row_may_begin_with_a_bracket():
    assert latex.escape("[1]\n2") == "{[}1{]} 2"


def test_prompts_that_lost_their_beginning_are_counted_in_every_format(schema, tmp_path):
    folder = make_folder(tmp_path / "o", documents=3)
    store = CellStore(folder)
    for entry in load_manifest(folder).cells:
        cell, samples = store.read(entry.identity), list(store.samples(entry.identity))
        score, cut = cell.score, {"en": 0.0, "zh": 2.0}.get(entry.language)
        metrics = score.metrics if cut is None else {**score.metrics, "truncated,none": cut}
        about = cell.about.model_dump(exclude_unset=True)
        store.save(entry.identity, replace(score, metrics=metrics), about, samples)
    results, note = read_results(folder), "2 of 3 prompts of xquad_zh lost their beginning"
    assert results.tables[0].truncated == {"zh": 2}
    said = mwork("report", folder, "--formats", "terminal,md,html,json,tex")
    assert note in " ".join(said.split())
    assert "of xquad_en lost" not in said
    assert note in (folder / "report.md").read_text()
    assert note in (folder / "report.html").read_text()
    assert note.replace("_", r"\_") in " ".join((folder / "report.tex").read_text().split())
    report = json.loads((folder / "report.json").read_text())
    schema.validate(report)
    assert report["tables"][0]["truncated"] == {"zh": 2}
    rows = list(csv.DictReader(io.StringIO(as_csv(results))))
    assert [(row["language"], row["value"]) for row in rows if row["quantity"] == "truncated"] == [("zh", "2")]
