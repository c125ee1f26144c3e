"""Names in Markdown are text: rendered, they are what they were."""

import re
from html import unescape

import pytest
from helpers.manifests import edited_manifest
from helpers.matrix_folders import LS_ALL, R_ALL, save_matrix, two_documents
from helpers.task_scores import accuracy

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.enhancement.changes import change_tables
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.markdown_text import Markdown, escape, paragraph, table
from mwork_eval.results.tables import read_results
from mwork_eval.views.enhancement import enhancement_as_markdown

ORDINARY = ("xquad_zh", "-20.0 [-28.1, 12.0]", "<0.001", "mean ± 3 %", "R s-attn+s-ffn", "a & b", "org/model-1.5", "∆?")
MARKUP = {
    "a|b": "a&#124;b",
    "`code`": "&#96;code&#96;",
    "<b>": "&#60;b>",
    "<!-- x": "&#60;!-- x",
    "&lt;": "&#38;lt;",
    "[a](http://x)": "[a&#93;(http&#58;//x)",
    "![a][b]": "![a&#93;[b]",
    "**a**": "&#42;&#42;a&#42;&#42;",
    "_a_": "&#95;a&#95;",
    "~~a~~": "&#126;&#126;a&#126;&#126;",
    "a\\*": "a&#92;&#42;",
    "# a": "&#35; a",
    "a\nb": "a\\nb",
    "a\x1b[1mb": "a\\x1b[1mb",
}


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_stays_as_it_is(text):
    assert escape(text) == paragraph(text) == text


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_written_as_references(text):
    assert escape(text) == MARKUP[text]
    everywhere = escape(text, everywhere=True)
    assert not re.search(r"[<>|`*\[\]~\"']", everywhere)


@pytest.mark.parametrize("text", ["- a", "1. a", "> a", "+ a", "12) a", "---", "=== a"])
def test_a_paragraph_begins_no_other_block(text):
    found = paragraph(text)
    assert found != text
    assert unescape(found) == text


def test_a_table_has_as_many_cells_as_columns_whatever_is_in_them():
    text = table(("a|b", "c"), [("x|y", "`z`"), (Markdown("**1**"), "2")])
    assert [line.count("|") for line in text.splitlines()] == [3] * 4
    assert "| **1** | 2 |" in text


HOSTILE = "<script>x</script> | [a](http://b) ![c](d) `e` **f** _g_\n\n# h\n\n| i |\u202e"


def test_the_report_shows_names_as_text(tmp_path):
    folder = save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(accuracy(1, 1)))
    with edited_manifest(folder) as manifest:
        manifest["model"] = manifest["presets"][0]["name"] = manifest["presets"][0]["settings"][1]["name"] = HOSTILE
        for cell in manifest["cells"]:
            cell["preset"] = HOSTILE
            cell["setting"] = HOSTILE if cell["setting"] == "LS all" else cell["setting"]
    check(as_markdown(read_results(folder)))


def test_the_report_on_fine_tuning_shows_names_as_text():
    from helpers.enhancement_scores import FIRST, SPECIFIC, scores_of

    family = TaskFamily(HOSTILE, ("zh", "en"))
    scores = scores_of(family, {one: [accuracy(0, 1), accuracy(1, 1)] for one in (None, SPECIFIC, FIRST)})
    check(enhancement_as_markdown(change_tables([SPECIFIC, FIRST], [family], scores)))


def check(text: str) -> None:
    for markup in ("<script", "](", "`", "**f", "_g_", "\n# h", "| i |", "\u202e"):
        assert markup not in text
    assert escape(HOSTILE) in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
