"""The report as LaTeX: a booktabs table per preset and benchmark, ready for a paper."""

import unicodedata
from collections.abc import Iterable

from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.reports import wording
from mwork_eval.reports.results import DeltaTable, Results

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
    tables = [
        _table(table, one, f"{number}-" if many else "")
        for number, one in enumerate(results, 1)
        for table in one.tables
    ]
    return "\n".join([_PREAMBLE, *tables, f"% {wording.LEGEND}\n"])


def escape(text: str) -> str:
    """Return a text that LaTeX prints as it is; signs that print nothing become blanks."""
    visible = (" " if unicodedata.category(sign)[0] == "C" or sign.isspace() else sign for sign in text)
    return "".join(_COMMANDS.get(sign, sign) for sign in visible)


def _table(table: DeltaTable, results: Results, prefix: str) -> str:
    columns = wording.BRIEF_COLUMNS
    alignment = "l" + "c" * len(POSITIONS) + "r" * (len(columns) - 1 - len(POSITIONS))
    caption = f"{results.manifest['model']}: {wording.title(table)}. {wording.notes(table)}"
    if results.unfinished:
        caption += f" {results.unfinished} cells are not computed yet."
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\small",
            f"\\caption{{{escape(caption)}}}",
            f"\\label{{tab:{prefix}{_label(table.preset)}-{_label(table.task)}}}",
            f"\\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            _row(columns),
            r"\midrule",
            *(_row(wording.brief_cells(row, table)) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _row(cells: Iterable[str]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"


def _label(name: str) -> str:
    """Return a name with the signs a label may have."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)
