"""What tuning the stage boundaries found."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mwork_eval.matrix.tuning import GridPoint, Tuning
from mwork_eval.reports.wording import difference, interval, number
from mwork_eval.views.tuning import NO_NEURONS, verdict


def print_tuning(tuning: Tuning, console: Console) -> None:
    """Print the grid of ∆, and what it says about the choice."""
    unit, where = tuning.scale.unit, "+".join(tuning.positions)
    baseline = ", ".join(f"{language} {number(score, unit)}" for language, score in tuning.baseline.items())
    console.print(
        f"∆ in {unit} on {tuning.documents} documents of {tuning.task}: {tuning.language} and en, "
        f"{tuning.count} {tuning.language} neurons deactivated at {where} in every cell; baseline: {baseline}.",
        highlight=False,
        markup=False,
    )
    columns = sorted({point.stages.generation for point in tuning.grid})
    table = Table(title="understanding layers × generation layers", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", justify="right")
    for generation in columns:
        table.add_column(str(generation), justify="right", no_wrap=True)
    points = {point.boundaries: point for point in tuning.grid}
    for understanding in sorted({point.stages.understanding for point in tuning.grid}):
        cells = [_cell(tuning, points[understanding, generation]) for generation in columns]
        table.add_row(str(understanding), *cells)
    console.print(table)
    console.print(verdict(tuning), highlight=False, markup=False)


def _cell(tuning: Tuning, point: GridPoint) -> str:
    """Return the text of a cell; the best is starred."""
    if point.boundaries not in tuning.deltas:
        return NO_NEURONS
    found, unit = tuning.deltas[point.boundaries].delta, tuning.scale.unit
    return f"{'* ' if point.boundaries == tuning.best else ''}{difference(found.value, unit)} {interval(found, unit)}"
