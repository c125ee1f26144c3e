"""What the site needs beyond Markdown files below docs/: notebooks as pages, and files of the repository's root.

Links are written for a reader of the repository; here those to the root's files become links to their pages, and a link
to an example that stands alone becomes its code.
"""

import html
import json
import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "reference/changelog.md": "CHANGELOG.md",
    "reference/contributing.md": "CONTRIBUTING.md",
    "reference/tasks.md": "tasks/README.md",
    "reference/neuron-sets.md": "neuron_sets/gemma3-270m/README.md",
}
"""Pages of the site by the files outside docs/ that they show."""
_EXAMPLE = re.compile(r"^\[examples/(\w+\.py)\]\(\S+\)$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")


class _Notebook(File):
    """A notebook that is a page, so that a link to it leads to the page."""

    def is_documentation_page(self) -> bool:
        return True


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show a choice of versions where mike builds one of several; elsewhere no page looks for a list of them."""
    if os.environ.get("MIKE_DOCS_VERSION"):
        config.extra["version"] = {"provider": "mike", "default": "latest"}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of files outside docs/, and make pages of notebooks."""
    for uri, source in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / source).read_text(encoding="utf-8")))
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            files.remove(file)
            files.append(_Notebook(file.src_uri, config.docs_dir, config.site_dir, config.use_directory_urls))
    return files


def on_page_read_source(page: Page, config: MkDocsConfig) -> str | None:
    """Read a notebook as Markdown."""
    if not page.file.src_uri.endswith(".ipynb"):
        return None
    return notebook_as_markdown(json.loads(Path(config.docs_dir, page.file.src_uri).read_text(encoding="utf-8")))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show examples, and point links to files outside docs/ at their pages."""
    markdown = _EXAMPLE.sub(_code, markdown)
    uri = page.file.src_uri
    source = PAGES.get(uri, f"docs/{uri}")  # from the repository's root
    pages = {root: target for target, root in PAGES.items()}

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        if target in pages:
            target = pages[target]
        elif target.startswith("docs/"):
            target = target.removeprefix("docs/")
        else:
            return match[0]  # MkDocs says that it leads nowhere
        return posixpath.relpath(target, posixpath.dirname(uri) or ".") + (match[2] or "")

    return _LINK.sub(moved, markdown)


def _code(match: re.Match[str]) -> str:
    return f"```python\n{(ROOT / 'examples' / match[1]).read_text(encoding='utf-8')}```"


def notebook_as_markdown(notebook: dict[str, Any]) -> str:
    """Return a notebook's texts, code and outputs."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif source:
            parts.append(f"```python\n{source}\n```")
            parts += filter(None, map(_output, cell["outputs"]))
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    """Return an output as HTML on one line, which Markdown leaves alone."""
    if output["output_type"] == "stream":
        return _text("".join(output["text"])) if output["name"] == "stdout" else ""
    if output["output_type"] == "error":
        return _text(f"{output['ename']}: {output['evalue']}")
    shown = output["data"]
    if "image/png" in shown:
        png = "".join(shown["image/png"]).replace("\n", "")
        return _box(f'<img alt="Figure of the code above" src="data:image/png;base64,{png}">')
    if "text/html" in shown:
        return _box(re.sub(r"\s*\n\s*", " ", "".join(shown["text/html"])).strip())
    return _text("".join(shown.get("text/plain", "")))


def _text(text: str) -> str:
    shown = html.escape(text.rstrip()).replace("\n", "&#10;")
    return _box(f"<pre>{shown}</pre>") if shown else ""


def _box(markup: str) -> str:
    return f'<div class="output">{markup}</div>'
