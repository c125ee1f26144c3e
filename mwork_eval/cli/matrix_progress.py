"""What `mwork ablate` says while a matrix runs, and when it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mwork_eval.application.progress import Advance
from mwork_eval.terminal.progress import TerminalProgress

if TYPE_CHECKING:
    from mwork_eval.matrix.cell_plan import CellPlan
    from mwork_eval.matrix.planning import MatrixPlan


@contextmanager
def matrix_progress(
    plan: "CellPlan", folder: Path, shard: tuple[int, int] = (0, 1), *, what: str = "ablate", show: bool = True
) -> Iterator[Advance]:
    """Say how much there is to do, and show how it goes."""
    from mwork_eval.matrix.revisions import outdated_cells
    from mwork_eval.results.store import CellStore

    store = CellStore(folder)
    missing = plan.missing(store, shard) if show else []
    todo = len(missing)
    for line in outdated_cells(store, (cell for _, cell in missing)):
        tell(line)
    if show:
        part = "" if shard[1] == 1 else f" in part {shard[0] + 1} of {shard[1]}"
        click.echo(f"{len(plan.distinct)} cells, {todo} to compute{part}, in {folder}", err=True)
    with TerminalProgress().bar(what, todo, show=show) as advance:
        yield advance


def has_report(plan: "MatrixPlan", folder: Path) -> bool:
    """Say what is missing of the whole matrix, and return whether there is a table to show."""
    from mwork_eval.results.store import CellStore

    store = CellStore(folder)
    if missing := len(plan.missing(store)):
        click.echo(
            f"{missing} of {len(plan.distinct)} cells of the matrix are missing; the other parts compute them, "
            "or the same command without --shard",
            err=True,
        )
    return plan.shows_a_table(store)


def tell(message: str) -> None:
    """Say something beside the progress."""
    click.echo(message, err=True)
