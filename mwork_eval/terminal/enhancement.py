"""What fine-tuned neurons changed."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mwork_eval.enhancement.tables import ChangeTable
from mwork_eval.terminal.console import print_whole
from mwork_eval.views.enhancement import LEGEND, finding, narrow_cells, notes, title


def print_enhancement(tables: Sequence[ChangeTable], console: Console) -> None:
    """Print a table per trained language and benchmark, and what it says."""
    for table in tables:
        drawn = Table(
            title=title(table), title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        columns, rows = narrow_cells(table)
        for name in columns:
            drawn.add_column(name, justify="right" if name else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*map(escape, row))
        console.print()
        print_whole(drawn, console)
        console.print(notes(table), style="dim", highlight=False, markup=False)
        console.print(finding(table), highlight=False, markup=False)
    console.print()
    console.print(LEGEND, style="dim", highlight=False, markup=False)
