"""What a lens found."""

from rich.box import SIMPLE_HEAD
from rich.console import Console

from mwork_eval.analysis.lens_file import LensReport
from mwork_eval.reports.asking import told_in_words
from mwork_eval.reports.lens_wording import describe_crossings, lens_cells, title_of
from mwork_eval.terminal.console import TextTable, print_whole, say


def print_lens(report: LensReport, console: Console) -> None:
    """Print a table per language and mask, and where the curves cross."""
    for curves in report.curves:
        title = f"{title_of(curves)}: share of each language by layer, %, method {report.about['method']}"
        table = TextTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        columns, rows = lens_cells(curves)
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        say(console)
        say(console, title, style="bold")
        print_whole(table, console)
        note = f"{describe_crossings(curves)}; {curves.queries} queries"
        note += ", 95 % intervals over them" if curves.queries > 1 else ""
        say(console, note, style="dim")
    if asked := told_in_words(report.about):
        say(console, asked, style="dim")
