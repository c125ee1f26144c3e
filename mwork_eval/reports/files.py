"""The report's files: one per format, whether for one results folder or for many."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mwork_eval.digests import write_text_atomically
from mwork_eval.reports.as_csv import as_csv
from mwork_eval.reports.as_json import as_json
from mwork_eval.reports.html.page import as_html
from mwork_eval.reports.latex import as_latex
from mwork_eval.reports.markdown import as_markdown
from mwork_eval.reports.results import Results

_WRITERS: Mapping[str, Callable[..., str]] = {
    "md": as_markdown,
    "html": as_html,
    "tex": as_latex,
    "csv": as_csv,
    "json": as_json,
}
"""Each takes the results of one folder or more."""


def write_report_files(results: Sequence[Results], formats: Sequence[str], folder: Path) -> list[Path]:
    """Write `report.FORMAT` for each format that is a file.

    Args:
        results: What was read, a value per results folder.
        formats: Names of formats; `terminal` is no file.
        folder: Where to write.

    Returns:
        The files written.

    Raises:
        InputError: If a stored cell is damaged.
    """
    written = []
    for name in formats:
        if name in _WRITERS:
            path = folder / f"report.{name}"
            write_text_atomically(path, _WRITERS[name](*results))
            written.append(path)
    return written
