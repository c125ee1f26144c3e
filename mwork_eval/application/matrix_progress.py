"""What is said while a matrix runs, and when it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mwork_eval.application.progress import Advance, Progress
from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.matrix.revisions import outdated_cells
from mwork_eval.results.store import CellStore


@contextmanager
def matrix_progress(
    progress: Progress,
    plan: CellPlan,
    folder: Path,
    shard: tuple[int, int] = (0, 1),
    *,
    what: str = "ablate",
    show: bool = True,
) -> Iterator[Advance]:
    """Say how much there is to do, and show how it goes.

    Args:
        progress: Where to say and show it.
        plan: What is computed.
        folder: The results folder.
        shard: Which share of the cells, from 0, and of how many.
        what: What is done.
        show: Whether to show anything.

    Raises:
        InputError: If a stored cell is damaged.
    """
    store = CellStore(folder)
    missing = plan.missing(store, shard) if show else []
    todo = len(missing)
    for line in outdated_cells(store, (cell for _, cell in missing)):
        progress.tell(line)
    if show:
        part = "" if shard[1] == 1 else f" in part {shard[0] + 1} of {shard[1]}"
        progress.tell(f"{len(plan.distinct)} cells, {todo} to compute{part}, in {folder}")
    with progress.bar(what, todo, show=show) as advance:
        yield advance


def tell_what_is_missing(progress: Progress, plan: CellPlan, folder: Path) -> None:
    """Say how many cells of a plan other parts still have to compute, if any.

    Raises:
        InputError: If a stored cell is damaged.
    """
    if missing := len(plan.missing(CellStore(folder))):
        progress.tell(
            f"{missing} of {len(plan.distinct)} cells of the matrix are missing; the other parts compute them, "
            "or the same command without --shard"
        )
