"""What a check found."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mwork_eval.gate import wording
from mwork_eval.gate.check import Check
from mwork_eval.gate.verdict import Outcome
from mwork_eval.terminal.console import print_whole

_WIDTH = 132
_STYLES = {Outcome.PASS: "green", Outcome.UNSURE: "yellow", Outcome.REGRESSION: "red"}


def print_check(check: Check, console: Console) -> None:
    """Print headline, tables, reasons and legend."""
    console.width = max(console.width, _WIDTH)
    console.print(wording.headline(check), style="bold", highlight=False, markup=False)
    console.print(wording.folders(check), highlight=False, markup=False)
    for columns, rows in wording.tables(check):
        drawn = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, column in enumerate(columns):
            left = number == 0 or column in ("unit", "verdict")
            # A name that wraps would begin a line with whatever stands in it.
            drawn.add_column(column, justify="left" if left else "right", no_wrap=True)
        for row in rows:
            style = next((style for outcome, style in _STYLES.items() if row[-1] == outcome), None)
            drawn.add_row(*map(escape, row[:-1]), f"[{style}]{row[-1]}[/]" if style else row[-1])
        print_whole(drawn, console)
    for text in wording.problems(check) + wording.reasons(check, Outcome.REGRESSION):
        console.print(text, style="red", highlight=False, markup=False)
    for text in wording.reasons(check, Outcome.UNSURE):
        console.print(text, style="yellow", highlight=False, markup=False)
    for note in check.notes:
        console.print(wording.plain(note), highlight=False, markup=False)
    console.print(wording.legend(check), style="dim", highlight=False, markup=False)
