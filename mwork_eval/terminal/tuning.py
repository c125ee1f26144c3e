"""What tuning the stage boundaries found."""

from rich.box import SIMPLE_HEAD
from rich.console import Console

from mwork_eval.matrix.tuning import Tuning
from mwork_eval.reports.wording import number
from mwork_eval.terminal.console import TextTable, print_table, say
from mwork_eval.views.tuning import tuning_cells, verdict


def print_tuning(tuning: Tuning, console: Console) -> None:
    """Print the grid of ∆, and what it says about the choice."""
    unit, where = tuning.scale.unit, "+".join(tuning.positions)
    baseline = ", ".join(f"{language} {number(score, unit)}" for language, score in tuning.baseline.items())
    pivot = next(language for language in tuning.baseline if language != tuning.language)
    say(
        console,
        f"∆ in {unit} on {tuning.documents} documents of {tuning.task}: {tuning.language} and {pivot}, "
        f"{tuning.count} {tuning.language} neurons deactivated at {where} in every cell; baseline: {baseline}.",
    )
    columns, rows = tuning_cells(tuning)
    table = TextTable(title="understanding layers × generation layers", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=bool(column))
    for row in rows:
        table.add_row(*row)
    print_table(table, console)
    say(console, verdict(tuning))
