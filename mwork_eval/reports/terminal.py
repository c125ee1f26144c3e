"""The report on a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mwork_eval.reports import wording
from mwork_eval.reports.results import Results

_TABLE_WIDTH = 120


def print_results(results: Results, console: Console) -> None:
    """Print the paper-style tables, their notes and the legend; the cells are in the files."""
    # A table cut to a narrow terminal would lose its numbers; too wide a one wraps.
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(wording.summary(results), highlight=False, markup=False)
    for table in results.tables:
        drawn = Table(title=wording.title(table), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        for column in wording.BRIEF_COLUMNS:
            drawn.add_column(column, justify="left" if column == "setting" else "right", no_wrap=True)
        for row in table.rows:
            drawn.add_row(*map(escape, wording.brief_cells(row, table)))
        console.print()
        console.print(drawn)
        console.print(wording.notes(table), style="dim", highlight=False, markup=False)
    console.print()
    console.print(wording.LEGEND, style="dim", highlight=False, markup=False)
    if results.unfinished:
        console.print(f"{results.unfinished} cells are not computed yet; `mwork ablate` goes on.", style="yellow")
