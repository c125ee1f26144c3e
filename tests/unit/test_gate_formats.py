"""What a check is written as: Markdown, JSON, JUnit, annotations and a terminal; names are text and nothing else."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.gate_folders import make_lm_eval, make_results
from lxml import etree
from rich.console import Console

from mwork_eval.gate.check import Check, Problem, check_folders
from mwork_eval.gate.formats.files import append_step_summary, write_check_files
from mwork_eval.gate.formats.github import annotations
from mwork_eval.gate.formats.json import as_json
from mwork_eval.gate.formats.junit import as_junit
from mwork_eval.gate.formats.markdown import as_markdown
from mwork_eval.gate.limits import Limits
from mwork_eval.terminal.gate import print_check

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "junit.xsd"))
HOSTILE = (
    "<script>alert('x')</script> | \"quoted\" & `code` [link](http://x) **bold** "
    "\x00\x1b[31m \u202egnirts\n::error::100%"
)


def answers(count: int, right: int) -> list[float]:
    return [1.0] * right + [0.0] * (count - right)


@pytest.fixture
def mixed(tmp_path) -> Check:
    """One regression, one doubt, one pass, one problem, and a row of ∆."""
    en, de, zh, es = (("xquad", language) for language in ("en", "de", "zh", "es"))
    scores = {en: answers(100, 80), zh: answers(100, 80), de: answers(100, 80), es: answers(8, 5)}
    masked = {("LS all", "zh", None, "zh"): answers(100, 40), ("LS all", "zh", None, "en"): answers(100, 79)}
    masked |= {("LS all", language, None, "en"): answers(100, 80) for language in ("de", "es")}
    masked |= {("LS all", "de", None, "de"): answers(100, 60), ("LS all", "es", None, "es"): answers(8, 2)}
    old = make_results(tmp_path / "old", scores | {("bpb", "zh"): answers(8, 4)}, masked=masked, sets={"zh": 1})
    changed = {zh: answers(100, 60), es: answers(8, 4)}
    new = make_results(tmp_path / "new", scores | changed, masked=masked, sets={"zh": 1})
    return check_folders(old, new, Limits(delta={"LS all": 30.0}, overlap={"zh": 0.5}), strict=False)


def shown(check: Check, width: int = 200) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    print_check(check, console)
    return console.export_text()


def cells(markdown: str, start: str) -> list[str]:
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_markdown_shows_every_comparison(mixed):
    text = as_markdown(mixed)
    assert text.startswith("## mwork check: could not compare: 1 problem (2 over the limit, with not enough documents")
    row = cells(text, "xquad_zh")
    assert row[1:6] == ["100", "points", "80.0", "60.0", "-20.0"]
    assert row[7] == "&#60;0.001"
    assert row[9:] == ["1.0", "regression"]
    assert row[6].startswith("&#91;-2")
    assert cells(text, "xquad_en")[-1] == "pass"
    assert cells(text, "xquad_es")[-1] == "not enough documents to tell"
    assert cells(text, "zh") == ["zh", "1.000", "0.500", "pass"]
    assert "- bpb_zh: could not compare: NEW lacks this task" in text
    assert "- xquad_zh: dropped by 20.0 points (25.0% of the score), allowed: 1.0 points" in text
    assert "- ∆ of LS all, mine on xquad: ∆ is " in text
    assert "NEW: " in text


def test_the_json_holds_the_numbers_unrounded(mixed):
    found = json.loads(as_json(mixed))
    assert (found["format"], found["version"], found["result"], found["exit_code"]) == (
        "mwork-check",
        1,
        "not compared",
        2,
    )
    chinese = next(task for task in found["tasks"] if task["full"] == "xquad_zh")
    assert chinese["change"]["value"] == pytest.approx(-20)
    assert (chinese["task"], chinese["language"], chinese["max_drop"]) == ("xquad", "zh", 1.0)
    assert (chinese["outcome"], chinese["relative"]) == ("regression", pytest.approx(-0.25))
    assert found["rows"][0]["new_delta"]["value"] == found["rows"][0]["new"]
    assert found["rows"][0]["required"] == 30
    assert found["neuron_sets"][0]["jaccard"] == 1
    assert found["problems"] == [{"subject": "bpb_zh", "reason": "NEW lacks this task"}]


def test_the_junit_file_fits_its_schema_and_tells_failures_from_errors(mixed):
    text = as_junit(mixed)
    SCHEMA.assertValid(etree.fromstring(text.encode()))
    suite = ElementTree.fromstring(text).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "1", "1")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == ["xquad_zh"]
    assert [case.get("name") for case in suite.iter("testcase") if case.find("error") is not None] == ["bpb_zh"]
    assert "xquad_es: dropped by 12.5 points" in suite.findtext("system-out")


def test_the_schema_refuses_what_is_no_junit_file(mixed):
    text = as_junit(mixed)
    for wrong in (text.replace('hostname="localhost"', ""), text.replace("failure", "failed"), text.replace("T", " ")):
        assert not SCHEMA.validate(etree.fromstring(wrong.encode()))


def test_annotations_are_errors_and_warnings(mixed):
    lines = annotations(mixed)
    assert lines[0] == "::error title=mwork check::bpb_zh: could not compare: NEW lacks this task"
    assert lines[1].startswith("::error title=mwork check::xquad_zh: dropped by 20.0 points (25.0%25 of the score)")
    assert [line.split(" ", 1)[0] for line in lines] == ["::error", "::error", "::warning", "::warning"]


def test_the_terminal_shows_the_same(mixed):
    text = shown(mixed)
    assert "mwork check: could not compare: 1 problem" in text
    (line,) = [line for line in text.splitlines() if line.strip().startswith("xquad_zh ") and "regression" in line]
    assert line.split()[:6] == ["xquad_zh", "100", "points", "80.0", "60.0", "-20.0"]
    assert "could not compare: NEW lacks this task" in text
    assert "LS all, mine on xquad" in text


def test_headlines(tmp_path):
    def headline(right: int, strict: bool = False) -> str:
        old = make_lm_eval(tmp_path / f"old{right}{strict}", {"xnli_zh": answers(100, 80)})
        new = make_lm_eval(tmp_path / f"new{right}{strict}", {"xnli_zh": answers(100, right)})
        return as_markdown(check_folders(old, new, Limits(), strict)).splitlines()[0]

    assert headline(80) == "## mwork check: passed"
    assert headline(77, strict=True) == "## mwork check: 1 regression"
    assert headline(40) == "## mwork check: 1 regression"


def test_hostile_names_are_text_everywhere(tmp_path):
    scores = {(HOSTILE, "zh"): answers(100, 80), (HOSTILE + "2", "zh"): answers(8, 5)}
    old = make_results(tmp_path / "old", scores | {("bpb" + HOSTILE, "zh"): answers(8, 5)}, model=HOSTILE)
    new = make_results(tmp_path / "new", dict.fromkeys(scores, answers(100, 40)), model=HOSTILE)
    check = check_folders(old, new, Limits(), strict=True)
    check.problems.append(Problem(HOSTILE, HOSTILE))
    check.notes.append(HOSTILE)
    assert check.exit_code == 2

    text = as_markdown(check)
    for markup in ("<script", "\n::", "`", "**", "[link]", "\x00", "\x1b", "\u202e", '"'):
        assert markup not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {12}
    assert "&#60;script&#62;" in text

    tree = etree.fromstring(as_junit(check).encode())
    SCHEMA.assertValid(tree)
    names = [case.get("name") for case in tree.iter("testcase")]
    assert any(name.startswith("<script>alert('x')</script> | \"quoted\"") for name in names)

    assert all("\n" not in line and "100%25" in line and "\x1b" not in line for line in annotations(check))
    assert json.loads(as_json(check))["models"] == [HOSTILE, HOSTILE]
    terminal = shown(check)
    assert "\x1b" not in terminal
    assert "\u202e" not in terminal
    assert "**bold**" in " ".join(terminal.split())


def test_the_files_and_the_step_summary(mixed, tmp_path):
    written = write_check_files(mixed, tmp_path / "out")
    assert [path.name for path in written] == ["check.md", "check.json", "junit.xml"]
    assert (tmp_path / "out" / "check.md").read_text(encoding="utf-8") == as_markdown(mixed)
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n")
    append_step_summary(mixed, summary)
    assert summary.read_text(encoding="utf-8") == "# Before\n" + as_markdown(mixed) + "\n"
