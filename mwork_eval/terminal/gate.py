"""What a check found."""

from rich.box import SIMPLE_HEAD
from rich.console import Console

from mwork_eval.gate import wording
from mwork_eval.gate.check import Check
from mwork_eval.gate.verdict import Outcome
from mwork_eval.terminal.console import TextTable, print_whole, say, styled

_WIDTH = 132
_STYLES = {Outcome.PASS: "green", Outcome.UNSURE: "yellow", Outcome.REGRESSION: "red"}


def print_check(check: Check, console: Console) -> None:
    """Print headline, tables, reasons and legend."""
    console.width = max(console.width, _WIDTH)
    say(console, wording.headline(check), style="bold")
    say(console, wording.folders(check))
    for columns, rows in wording.tables(check):
        drawn = TextTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, column in enumerate(columns):
            left = number == 0 or column in ("unit", "verdict")
            # A name that wraps would begin a line with whatever stands in it.
            drawn.add_column(column, justify="left" if left else "right", no_wrap=True)
        for row in rows:
            style = next((style for outcome, style in _STYLES.items() if row[-1] == outcome), None)
            drawn.add_row(*row[:-1], styled(row[-1], style) if style else row[-1])
        print_whole(drawn, console)
    for text in wording.problems(check) + wording.reasons(check, Outcome.REGRESSION):
        say(console, text, style="red")
    for text in wording.reasons(check, Outcome.UNSURE):
        say(console, text, style="yellow")
    for note in check.notes:
        say(console, wording.plain(note))
    say(console, wording.legend(check), style="dim")
