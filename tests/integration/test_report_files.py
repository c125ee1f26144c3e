"""The report of a real run on a tiny model, in all formats."""

import csv
import json
from importlib.resources import files

import jsonschema
import pytest
from helpers.commands import mwork

FORMATS = "md,html,tex,csv,json"


@pytest.fixture(scope="module")
def folder(tiny_llama, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "o"
    mwork(
        "run", "--model", tiny_llama, "--languages", "en,zh,es", "--fraction", "0.4", "--max-docs", "3",
        "--max-tokens", "32", "--device", "cpu", "--dtype", "float32", "--preset", "understanding",
        "--tasks", "xquad,xcsqa,bpb", "--limit", "3", "--seeds", "1,2", "--out", out,
    )  # fmt: skip
    return out


def test_a_run_leaves_a_page_with_the_figures_of_its_sets(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "neither in the results folder" not in page
    assert 'aria-label="zh: share of neurons' in page
    # 3 tasks, 7 masks of each of 2 languages, scored on their own and on English, 3 documents each.
    assert "252 of 252 stored answers" in " ".join(page.split())


def test_every_format_of_a_run_holds_its_three_tables(folder, tmp_path):
    mwork("report", folder, "--formats", FORMATS, "--out", tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, json.loads((files("mwork_eval.reports") / "report.schema.json").read_text()))
    assert [table["task"] for table in report["tables"]] == ["xquad", "xcsqa", "bpb"]
    assert (tmp_path / "report.tex").read_text(encoding="utf-8").count(r"\toprule") == 3
    with (tmp_path / "report.csv").open(encoding="utf-8") as file:
        scores = [row for row in csv.DictReader(file) if row["quantity"] == "score"]
    assert len(scores) == len(report["cells"])
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()
