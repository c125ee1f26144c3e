"""The documentation: its links lead somewhere, its figures and commands are those of the project, its pages build."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mwork_eval
from mwork_eval.cli.main import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    {
        *DOCS.rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tasks/README.md")),
        *ROOT.glob("neuron_sets/*/README.md"),
    }
)
TUTORIALS = sorted(DOCS.glob("tutorials/*.ipynb"))
CODE = re.compile(r"^```.*?^```$|^(?: {4}|\t).*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


def text_of(path: Path) -> str:
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return path.read_text(encoding="utf-8")


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", one).replace("∆", "").strip().replace(" ", "-") for one in plain}


@pytest.mark.parametrize("page", [*PAGES, *TUTORIALS], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target, anchor in LINK.findall(CODE.sub("", text_of(page))):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{target} of {page.name}"
        if anchor and file.suffix in (".md", ".ipynb"):
            assert anchor[1:] in anchors_of(file), f"{target}{anchor} of {page.name}"


def test_pages_named_in_the_code_are_there():
    named = {
        match
        for path in (ROOT / "mwork_eval").rglob("*.py")
        for match in re.findall(r"docs/[\w/.-]+\.(?:md|ya?ml)", path.read_text(encoding="utf-8"))
    }
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_command_stands_in_the_readme_and_every_command_of_the_readme_is_one():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(main.commands) == set(re.findall(r"`mwork ([a-z][a-z-]*)", readme))


def test_a_matrix_on_a_page_says_which_table_it_is():
    commands = [
        command
        for page in PAGES
        for command in re.findall(r"^ {4}mwork ablate (?:\\\n|[^\n`])*", text_of(page), re.MULTILINE)
        if "..." not in command
    ]
    assert len(commands) > 10
    assert not [command for command in commands if "--preset" not in command]


def test_every_option_on_a_page_is_one():
    options = {
        flag
        for command in walk(main)
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    for page in (*PAGES, *TUTORIALS):
        for line in re.findall(r"mwork [a-z](?:\\\n|[^\n`])*", text_of(page)):
            assert set(re.findall(r"(?<=\s)--[a-z][a-z-]*", line.split("#")[0])) <= options, f"{page.name}: {line}"


def walk(command):
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from walk(one)


def test_readme_and_start_page_have_the_figures_of_the_results():
    results = (DOCS / "results.md").read_text(encoding="utf-8")
    rows = re.compile(r"^     (?:R|LS) \S.*$", re.MULTILINE)
    for name, count in (("README.md", 3), ("docs/index.md", 5)):
        found = rows.findall((ROOT / name).read_text(encoding="utf-8"))
        assert len(found) == count
        assert set(found) <= set(rows.findall(results))


def test_readme_is_short_and_keeps_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 130
    assert re.search(r"^    make run\b", readme, re.MULTILINE)
    assert re.search(r"^    make test\b", readme, re.MULTILINE)


def test_the_list_of_decisions_has_each():
    index = (DOCS / "decisions/index.md").read_text(encoding="utf-8")
    for path in sorted(DOCS.glob("decisions/0*.md")):
        number, title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(": ", 1)
        assert f"| [{number}]({path.name}) | {title} |" in index
        assert path.name in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=\"?([^\s\">]+)", page.read_text("utf-8"))
        outside = [one for one in loaded if re.match(r"(https?:)?//", one)]
        assert not outside, f"{page}: {outside}"


def test_the_site_has_notebooks_with_their_outputs():
    hooks = load_hooks()
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "text"]},
            {
                "cell_type": "code",
                "source": ["print(1)"],
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["a < b\n", "c\n"]},
                    {"output_type": "stream", "name": "stderr", "text": ["a bar"]},
                    {
                        "output_type": "display_data",
                        "data": {"text/html": ["<table>\n", "</table>"]},
                    },
                    {"output_type": "display_data", "data": {"image/png": "QUJD\n", "text/plain": "figure"}},
                    {"output_type": "execute_result", "data": {"text/plain": ["<NeuronSet>"]}},
                ],
            },
        ]
    }
    markdown = hooks.notebook_as_markdown(notebook)
    assert "# Title\ntext\n\n```python\nprint(1)\n```\n\n" in markdown
    assert "<pre>a &lt; b&#10;c</pre>" in markdown
    assert "a bar" not in markdown
    assert "<table> </table>" in markdown
    assert 'data:image/png;base64,QUJD"' in markdown
    assert "<pre>&lt;NeuronSet&gt;</pre>" in markdown


def load_hooks():
    pytest.importorskip("mkdocs")
    namespace: dict[str, object] = {"__file__": str(DOCS / "site_hooks.py"), "__name__": "site_hooks"}
    exec((DOCS / "site_hooks.py").read_text(encoding="utf-8"), namespace)
    return type("Hooks", (), {name: staticmethod(value) for name, value in namespace.items() if callable(value)})


def test_mkdocs_reads_the_configuration_without_plugins_that_fetch():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert config["theme"]["font"] is False
    assert "repo_url" not in config  # Material would ask the host for its stars
    assert {name if isinstance(name, str) else next(iter(name)) for name in config["plugins"]} == {
        "search",
        "autorefs",
        "mkdocstrings",
    }


def test_examples_in_docstrings_are_sections_that_the_site_knows():
    """`Example:` would be a box of prose, whose brackets are links; `Examples:` shows code as code."""
    wrong = [
        path.name
        for path in (ROOT / "mwork_eval").rglob("*.py")
        if re.search(r"^ +Example:$", path.read_text("utf-8"), re.M)
    ]
    assert not wrong


def test_every_public_name_is_in_the_reference():
    page = (DOCS / "reference/python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^::: mwork_eval\.(\w+)$", page, re.MULTILINE)) == {*mwork_eval.__all__} - {"__version__"}
