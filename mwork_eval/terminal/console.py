"""Where the terminal writes: what comes from data is text, of which nothing is taken for markup or a control character.

The one place that makes rich's consoles, tables and texts; renderers say what stands in them and in which style.
"""

from typing import Any

from rich.box import HEAVY_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mwork_eval.terminal.lines import shown

_UNLIMITED = 1000


def make_console(*, stderr: bool = False) -> Console:
    """Return the console of standard output or error."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def styled(text: object, style: str) -> Text:
    """Return a text in a style."""
    return Text(shown(text), style)


def say(console: Console, *parts: str | Text, style: str | None = None, end: str = "\n", wrap: bool = True) -> None:
    """Print parts of a line, one behind the other.

    Args:
        console: Where to.
        parts: Texts, or what `styled` gives.
        style: Of the whole line.
        end: What follows.
        wrap: Whether a long line is broken at the width of the console.
    """
    line = Text.assemble(*(part if isinstance(part, Text) else Text(shown(part)) for part in parts))
    console.print(line, style=style, end=end, soft_wrap=not wrap)


class TextTable(Table):
    """A table whose title, heads and cells are text.

    Args:
        columns: Heads of the columns.
        title: Heading.
        title_style: Of the heading.
        title_justify: Where it stands.
        box: The lines.
        padding: Blanks around cells: above, right, below, left.
    """

    def __init__(
        self,
        *columns: str,
        title: str | None = None,
        title_style: str = "table.title",
        title_justify: Any = "left",
        box: Box = HEAVY_HEAD,
        padding: tuple[int, int, int, int] = (0, 1, 0, 1),
    ) -> None:
        heading = None if title is None else styled(title, title_style)
        super().__init__(title=heading, title_justify=title_justify, box=box, padding=padding)
        for column in columns:
            self.add_column(column)

    def add_column(self, header: Any = "", *arguments: Any, **options: Any) -> None:
        """Add a column with a text as its head."""
        super().add_column(_cell(header), *arguments, **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of texts, or of what `styled` gives."""
        super().add_row(*map(_cell, cells), **options)


def _cell(text: str | Text) -> Text:
    return text if isinstance(text, Text) else Text(shown(text))


def print_table(table: TextTable, console: Console) -> None:
    """Print a table no wider than the console."""
    console.print(table)


def print_whole(table: TextTable, console: Console) -> None:
    """Print a table; where the terminal is narrower its lines wrap, and no number is cut off."""
    needed = console.measure(table, options=console.options.update(max_width=_UNLIMITED)).maximum
    console.width = max(console.width, needed)
    console.print(table)
