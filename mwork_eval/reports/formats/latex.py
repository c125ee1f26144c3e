"""The report as LaTeX: a booktabs table per preset and benchmark, ready for a paper."""

import unicodedata
from collections.abc import Iterable, Sequence

from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.reports import detector_wording, dose_wording, set_draw_wording, square_wording, wording
from mwork_eval.reports.legend import legends
from mwork_eval.results.detector_tables import DetectorTable, read_detector_tables
from mwork_eval.results.doses import Dose, read_doses
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.squares import Square, read_squares
from mwork_eval.results.tables import DeltaTable, Results

_PREAMBLE = (
    "% Needs \\usepackage{booktabs}, \\usepackage{amssymb}, \\usepackage{textcomp} and a UTF-8 engine or input.\n"
)
_COMMANDS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "[": "{[}",  # at the start of a row it would be the option of the line break before it
    "]": "{]}",
    "∆": r"$\Delta$",
    "✗": r"$\times$",
    "✓": r"$\checkmark$",
    "→": r"$\rightarrow$",
    "–": "--",
    "…": r"\dots{}",
}


def as_latex(*results: Results) -> str:
    """Return the tables, each a float with a caption and a label; the legend stands once at the end, in a comment."""
    many = len(results) > 1
    tables = [table for number, one in enumerate(results, 1) for table in _tables(one, f"{number}-" if many else "")]
    return "\n".join([_PREAMBLE, *tables, f"% {legends(results)}\n"])


def escape(text: str) -> str:
    """Return a text that LaTeX prints as it is; signs that print nothing become blanks."""
    visible = (" " if unicodedata.category(sign)[0] == "C" or sign.isspace() else sign for sign in text)
    return "".join(_COMMANDS.get(sign, sign) for sign in visible)


def _tables(results: Results, prefix: str) -> list[str]:
    """Return the tables, the squares, the dose curves and the drawn sets of a results folder."""
    tables = [table for found in read_detector_tables(results) for table in _detectors(found, results, prefix)]
    tables += [_table(table, results, prefix) for table in results.tables]
    for square in read_squares(results):
        title, notes, heads = square_wording.title(square), square_wording.notes(square), square_wording.columns(square)
        rows = []
        for row in square_wording.rows(square, intervals=False):
            cells = [escape(cell) for cell in (row.name, *row.cells)]
            if row.own is not None:
                cells[row.own + 1] = f"\\textbf{{{cells[row.own + 1]}}}"
            rows.append(_line(cells))
        tables.append(_float(f"{title}. {notes}", _place(prefix + "cross-", square), "l", heads, rows, results))
    for dose in read_doses(results):
        title, notes = dose_wording.title(dose), dose_wording.notes(dose)
        rows = [_row(row) for row in dose_wording.rows(dose, intervals=False)]
        place = _place(prefix + "dose-", dose)
        tables.append(_float(f"{title}. {notes}", place, "l", dose_wording.columns(dose), rows, results))
    for draws in read_set_draws(results):
        caption = f"{set_draw_wording.title(draws)}. {set_draw_wording.notes(draws)}"
        rows = [_row(row) for row in set_draw_wording.rows(draws)]
        place = f"{prefix}draws-{_label(draws.preset)}-{_label(draws.task)}"
        tables.append(_float(caption, place, "l", set_draw_wording.COLUMNS, rows, results))
    return tables


def _detectors(table: DetectorTable, results: Results, prefix: str) -> list[str]:
    """Return a comparison of detectors, and the overlaps of their sets."""
    place = f"{_label(table.task)}-{_label(table.setting)}"
    caption = f"{detector_wording.title(table)}. {detector_wording.notes(table)}"
    lines = [_row(row) for row in detector_wording.rows(table, brief=True)]
    columns = detector_wording.columns(table, brief=True)
    found = [_float(caption, f"{prefix}detectors-{place}", "ll", columns, lines, results)]
    for overlap in table.overlaps[:1]:
        caption = f"{detector_wording.overlap_title(overlap, table)}. {detector_wording.OVERLAP_NOTES}"
        lines = [_row(row) for row in detector_wording.overlap_rows(overlap)]
        columns = detector_wording.overlap_columns(overlap)
        found.append(_float(caption, f"{prefix}overlaps-{place}", "l", columns, lines, results))
    return found


def _place(prefix: str, part: Square | Dose) -> str:
    return f"{prefix}{_label(part.preset)}-{_label(part.task)}-{_label(part.setting)}"


def _table(table: DeltaTable, results: Results, prefix: str) -> str:
    columns = wording.brief_columns(Pivot(table.pivot))
    caption = f"{wording.title(table)}. {wording.notes(table)}"
    rows = [_row(wording.brief_cells(row, table)) for row in table.rows]
    place = f"{prefix}{_label(table.preset)}-{_label(table.task)}"
    return _float(caption, place, "l" + "c" * len(POSITIONS), columns, rows, results)


def _float(
    caption: str, place: str, alignment: str, columns: Sequence[str], rows: Iterable[str], results: Results
) -> str:
    """Return a table with its caption.

    Args:
        caption: What stands above it, after the model's name.
        place: Its label.
        alignment: Of the first columns; all others are flush right.
        columns: The heads of the columns.
        rows: The lines.
        results: The results folder it is from.
    """
    caption = f"{results.manifest.model}: {caption}"
    if results.unfinished:
        caption += f" {results.unfinished} cells are not computed yet."
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\small",
            f"\\caption{{{escape(caption)}}}",
            f"\\label{{tab:{place}}}",
            f"\\begin{{tabular}}{{{alignment.ljust(len(columns), 'r')}}}",
            r"\toprule",
            _row(columns),
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _row(cells: Iterable[str]) -> str:
    return _line(map(escape, cells))


def _line(cells: Iterable[str]) -> str:
    """Join cells that LaTeX can read already."""
    return " & ".join(cells) + r" \\"


def _label(name: str) -> str:
    """Return a name with the signs a label may have."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)
