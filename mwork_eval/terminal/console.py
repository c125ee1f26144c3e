"""Tables on a terminal, whole however narrow it is."""

from rich.console import Console
from rich.table import Table

_UNLIMITED = 1000


def print_whole(table: Table, console: Console) -> None:
    """Print a table; where the terminal is narrower its lines wrap, and no number is cut off."""
    needed = console.measure(table, options=console.options.update(max_width=_UNLIMITED)).maximum
    console.width = max(console.width, needed)
    console.print(table)
