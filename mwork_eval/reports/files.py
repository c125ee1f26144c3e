"""The report's files: one per format, whether for one results folder or for many."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mwork_eval.files.writing import write_text_atomically
from mwork_eval.reports import plots
from mwork_eval.reports.figures import report_figures
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.lm_eval import write_lm_eval_folders
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.formats.names import LM_EVAL
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.tables import Results

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
    if LM_EVAL in formats:
        for number, one in enumerate(results, 1):
            target = folder / LM_EVAL if len(results) == 1 else folder / LM_EVAL / str(number)
            written += write_lm_eval_folders(one, target)
    return written


def write_report_figures(results: Results, kinds: Sequence[str], folder: Path) -> list[Path]:
    """Write the figures of one results folder: changes, squares and dose curves, and where the neurons of the sets are.

    Args:
        results: What was read.
        kinds: Some of `svg` and `png`.
        folder: Where to write.

    Raises:
        InputError: If a stored cell or neuron set is damaged.
    """
    figures = {name.file: draw for name, draw in report_figures(results).items()}
    return plots.write_figures(figures, folder, kinds)
