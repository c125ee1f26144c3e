"""What fine-tuned neurons changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console

from mwork_eval.enhancement.tables import ChangeTable
from mwork_eval.reports.asking import told_in_words
from mwork_eval.terminal.console import TextTable, print_whole, say
from mwork_eval.views.enhancement import finding, legend, narrow_cells, notes, title

_NOTHING: Mapping[str, Any] = {}


def print_enhancement(tables: Sequence[ChangeTable], console: Console, about: Mapping[str, Any] = _NOTHING) -> None:
    """Print a table per trained language and benchmark, and what it says.

    Args:
        tables: The tables.
        console: Where.
        about: What was scored, and how it was asked; JSON values.
    """
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
    if asked := told_in_words(about):
        say(console, asked, style="dim")
    say(console, legend(tables), style="dim")
