"""The HTML page: what it loads and what it holds."""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files

from helpers.matrix_folders import LS_ALL, R_ALL, save_matrix, two_documents
from helpers.report_folders import HOSTILE, make_folder

from mwork_eval.reports.html.environment import embedded_json
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.tables import read_results

pytest_plugins = ["helpers.report_fixtures"]


class Page(HTMLParser):
    """Scripts, links and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.attributes, self.open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, *pair) for pair in attributes]
        self.open = tag
        if tag == "script":
            self.scripts.append([dict(attributes), ""])

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, text):
        if self.open == "script":
            self.scripts[-1][1] += text


def test_a_page_loads_nothing_and_runs_only_its_own_script(tmp_path):
    text = as_html(read_results(make_folder(tmp_path, model=HOSTILE, task=HOSTILE, text=HOSTILE, documents=3)))
    page = Page(text)
    kinds = [attributes.get("type") for attributes, _ in page.scripts]
    assert kinds == ["application/json", None]
    sources = [(files("mwork_eval.reports.html") / name).read_text() for name in ("page.js", "answers.js")]
    assert page.scripts[1][1] == "\n".join(sources)
    assert json.loads(page.scripts[0][1])["documents"][0][3] == f"Question 0? {HOSTILE}"
    assert not [a for a in page.attributes if a[1] == "src" or a[1].startswith("on") or a[0] in ("img", "link")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    assert "http" not in text.replace("http-equiv", "")


def test_a_page_has_its_tables_figures_and_manifest(results):
    text = as_html(results)
    assert all(part in text for part in ("∆n-Eng", "layer 3 up:", "xquad has no fr", "&#34;fingerprint&#34;"))
    assert "384 of 384 stored answers" in " ".join(text.split())
    drawings = re.findall(r'<svg role="img" aria-label="(.+?)"', text)
    assert len(drawings) == len(results.tables[0].rows) + 2 + 2 + 1


def test_a_page_of_an_unfinished_matrix_says_so(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    text = as_html(found)
    assert "1 cells are not computed yet" in text
    assert "No answer under a mask is stored with its text." in text
    assert "tiny &lt;b&gt;" in text


def test_embedded_json_ends_no_element_and_reads_back():
    value = {"a": ["</script><!--<script>", "\u2028", "é"]}
    text = embedded_json(value)
    assert "<" not in text
    assert json.loads(text) == value
