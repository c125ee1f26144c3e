"""What fine-tuned neurons changed."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console

from mwork_eval.enhancement.tables import ChangeTable
from mwork_eval.terminal.console import TextTable, print_whole, say
from mwork_eval.views.enhancement import finding, legend, narrow_cells, notes, title


def print_enhancement(tables: Sequence[ChangeTable], console: Console) -> None:
    """Print a table per trained language and benchmark, and what it says."""
    for table in tables:
        drawn = TextTable(title=title(table), title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        columns, rows = narrow_cells(table)
        for name in columns:
            drawn.add_column(name, justify="right" if name else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*row)
        say(console)
        print_whole(drawn, console)
        say(console, notes(table), style="dim")
        say(console, finding(table))
    say(console)
    say(console, legend(tables), style="dim")
