"""Reports of ablation results: what a stored matrix becomes on a terminal, as Markdown and as JSON."""

import json
import math
import os

import pytest
from helpers.manifests import edited_manifest
from helpers.matrix_folders import LS_ALL, R_ALL, save_matrix, two_documents
from helpers.report_folders import make_folder
from helpers.task_scores import accuracy
from rich.console import Console

from mwork_eval.matrix.presets import load_presets
from mwork_eval.matrix.settings import Setting
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.wording import summary
from mwork_eval.results.tables import read_results
from mwork_eval.results.task_score import TaskScore
from mwork_eval.terminal.matrix import print_results


def on_terminal(results, width: int = 60) -> str:
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        console = Console(width=width, record=True, file=nowhere)
        print_results(results, console)
        return console.export_text()


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip().startswith(start)]


def test_a_report_of_an_unfinished_matrix_shows_what_there_is(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    table = found.tables[0]
    assert found.unfinished == 1
    assert table.rows[0].delta is None
    assert table.rows[1].delta.delta.value == pytest.approx(0)
    assert table.rows[1].comparison.p is None
    assert table.baseline == {"en": 100, "zh": 50}
    text = on_terminal(found)
    assert "1 cells are not computed yet" in text
    assert "No p for LS all: cells are missing." in " ".join(text.split())
    assert "tiny <b>" in text


def test_the_report_formats_show_the_same_numbers(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(accuracy(1, 1))))
    markdown = as_markdown(found)
    assert "## mine (Table 1 of the paper) on xquad" in markdown
    assert "| R all | ✗ | ✗ | ✗ | ✗ | 100.0 | 50.0 |" in markdown
    assert "| LS all | ✗ | ✗ | ✗ | ✗ | 50.0 | 0.0 | -50.0 [" in markdown
    assert "| LS all | zh | 50.0 | 0.0 | -50.0 | -100.0 | 50.0 | -50.0 | -50.0 |" in markdown
    assert "xquad has no fr" in markdown
    assert "documents: en 2, zh 2" in markdown
    assert "No p for LS all: one random draw does not tell how much draws differ" in markdown
    assert "which documents of en, zh belong together is not recorded" in markdown
    assert "Too few to tell ∆ of R all, LS all: 2 clusters of documents, fewer than 4." in markdown
    report = json.loads(as_json(found))
    assert (report["format"], report["version"]) == ("mwork-report", 3)
    row = report["tables"][0]["rows"][1]
    assert row["delta"]["delta_eng"]["value"] == pytest.approx(-50)
    assert row["delta"]["delta_non_eng"]["value"] == pytest.approx(-50)
    assert row["delta"]["delta"]["value"] == pytest.approx(0)
    assert row["delta"]["by_language"]["zh"]["own"] == {
        "baseline": 50,
        "masked": 0,
        "difference": -50,
        "relative": -100,
    }
    assert row["comparison"] == {
        "control": "R all",
        "difference": 0,
        "standard_error": None,
        "degrees": None,
        "draws": 1,
        "detectable": None,
        "p": None,
        "p_holm": None,
        "reason": "one random draw does not tell how much draws differ; take at least 2, better 20",
    }
    assert row["undetectable"]
    assert len(report["cells"]) == 6
    assert not any(isinstance(cell["score"], float) and math.isnan(cell["score"]) for cell in report["cells"])


def test_a_clear_effect_has_a_p_and_an_unclear_one_a_mark(tmp_path):
    good, bad, english = accuracy(*[1] * 20), accuracy(*[0] * 20), accuracy(*[1, 0] * 10)
    under, gen = Setting(False, ("under",)), Setting(False, ("gen",))
    half = accuracy(*[1] * 18, 0, 0)
    scores = {
        (None, None, "en"): english,
        (None, None, "zh"): good,
        ("LS under", None, "zh"): bad,
        ("LS under", None, "en"): accuracy(*[0, 1] * 10),
        ("LS gen", None, "zh"): half,
        ("LS gen", None, "en"): english,
        **{("R all", seed, "zh"): half if seed == 2 else good for seed in range(6)},
        **{("R all", seed, "en"): english for seed in range(6)},
    }
    found = read_results(save_matrix(tmp_path, [R_ALL, gen, under], scores, table=None))
    table = found.tables[0]
    assert {row.name: row.undetectable for row in table.rows} == {"R all": False, "LS gen": True, "LS under": False}
    assert table.detectable == max(row.comparison.detectable for row in table.rows[1:])
    assert f"detectable,{table.detectable},," in as_csv(found)
    text = on_terminal(found)
    assert "mine on xquad" in text
    assert "(Table" not in text
    p_holm = table.rows[2].comparison.p_holm
    assert p_holm < 0.05
    assert lines_of(text, "LS under")[0].split()[-1] == f"{p_holm:.3f}"
    assert "+100.0?" not in text
    assert "+10.0?" in lines_of(text, "LS gen")[0]
    assert "+0.0..+10.0 (6)" in lines_of(text, "R all")[0]
    flat = " ".join(text.split())
    assert (
        "20 documents per language and 6 draws of random neurons can tell a ∆ that differs from the control's by about "
        f"{table.detectable:.1f} points (80% power of the corrected p, worst row)"
    ) in flat
    assert "p: LS gen, LS under against R all." in flat


def test_a_table_without_a_control_or_spread_says_so(tmp_path):
    scores = {
        (None, None, "en"): accuracy(1),
        (None, None, "zh"): accuracy(1),
        ("LS all", None, "zh"): accuracy(0),
        ("LS all", None, "en"): accuracy(1),
    }
    found = read_results(save_matrix(tmp_path, [LS_ALL], scores))
    assert found.tables[0].detectable is None
    flat = " ".join(on_terminal(found).split())
    assert "No p for LS all: the table has no random control for it." in flat
    assert "How small a difference from random neurons these rows can tell cannot be said;" in flat
    assert "Too few to tell ∆ of LS all: 1 cluster of documents, fewer than 4." in flat
    assert "+100.0? [too few to tell] –" in flat
    assert json.loads(as_json(found))["tables"][0]["rows"][0]["delta"]["delta"]["low"] is None


def test_the_languages_of_answers_are_shown_where_they_are_known(tmp_path):
    def answered(wrong, judged=10.0):
        metrics = {"wrong_language,none": wrong, "english_answers,none": wrong / 2, "judged_answers,none": judged}
        return TaskScore("acc,none", True, ((1.0, 1.0), (0.0, 1.0)), metrics)

    scores = two_documents(accuracy(1, 1)) | {
        (None, None, "zh"): answered(0.1),
        ("LS all", None, "zh"): answered(0.8),
    }
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], scores))
    assert "| 10 % → 80 % | 5 % → 40 % | 10 → 10 |" in as_markdown(found)
    assert "| 10 % → – | 5 % → – | 10 → – |" in as_markdown(found)
    rows = [line for line in lines_of(on_terminal(found), "LS all") if "→" in line]
    assert len(rows) == 1
    assert rows[0].rstrip().endswith("10 % → 80 %")
    answers = json.loads(as_json(found))["tables"][0]["rows"][1]["delta"]["by_language"]["zh"]
    assert answers["answers_before"] == {"judged": 10, "wrong": 10, "english": 5}
    assert answers["answers"] == {"judged": 10, "wrong": 80, "english": 40}


@pytest.mark.parametrize("name", ["understanding", "reasoning"])
@pytest.mark.parametrize("wrong", [8, 10])
@pytest.mark.parametrize("points", [True, False])
def test_the_papers_tables_fit_a_terminal_of_120_columns(tmp_path, name, wrong, points):
    """Also where every number is as wide as it gets, in points and bits per byte, with 20 draws or too few to tell."""
    settings = load_presets()[name].settings

    def score(values):
        if points:
            return accuracy(*values)
        return TaskScore("bits_per_byte,none", False, tuple((1.2 * value, 1.0) for value in values), {})

    english, worse = score([1, 0] * 5), score([0, 1] * (wrong // 2) + [1, 0] * (5 - wrong // 2))
    scores = {(None, None, "en"): english, (None, None, "zh"): english}
    for setting in settings:
        for seed in range(20) if setting.random else (None,):
            scores[setting.name, seed, "zh"] = worse
            scores[setting.name, seed, "en"] = english if seed == 2 else worse
    text = on_terminal(read_results(save_matrix(tmp_path, settings, scores)), width=120)
    assert max(map(len, text.splitlines())) <= 120
    assert "…" not in text
    assert "(20)" in text


def test_a_share_of_few_answers_is_not_shown(tmp_path):
    few = {"wrong_language,none": 0.5, "english_answers,none": 0.5, "judged_answers,none": 2.0}
    scores = two_documents(accuracy(1, 1)) | {
        (None, None, "zh"): TaskScore("acc,none", True, ((1.0, 1.0), (0.0, 1.0)), few | {"judged_answers,none": 12.0}),
        ("LS all", None, "zh"): TaskScore("acc,none", True, ((1.0, 1.0), (0.0, 1.0)), few),
    }
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], scores))
    assert "| 50 % → ? | 50 % → ? | 12 → 2 |" in as_markdown(found)


def test_hits_of_neurons_that_a_language_shares_are_told(tmp_path):
    make_folder(tmp_path)
    assert "random neurons" not in summary(read_results(tmp_path))
    for hits, told in (
        ({"zh": [1, 0], "es": [0, 2]}, "Of 20 random neurons 3 are the language's own, shared with others."),
        ({"zh": [1, 0], "es": [None, None]}, "Of 10 random neurons 1 are the language's own, shared with others. Some"),
    ):
        with edited_manifest(tmp_path) as manifest:
            (preset,) = manifest["presets"]
            preset["shared_hits"] = {language: {"R under": of_seeds} for language, of_seeds in hits.items()}
        assert told in summary(read_results(tmp_path))
