"""Why numbers that earlier versions stored are computed again."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from mwork_eval.benchmarks.rows import task_of
from mwork_eval.matrix.plan import Cell
from mwork_eval.results.store import CellStore
from mwork_eval.results.stored_cell import REVISION


@cache
def _reasons() -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return found


def outdated_cells(store: CellStore, missing: Iterable[Cell]) -> list[str]:
    """Return, a line per benchmark, how many cells are stored of an earlier version only, and what changed.

    Args:
        store: The stored cells.
        missing: The cells to compute.

    Raises:
        InputError: If a stored cell is damaged.
    """
    tasks = {cell.label: cell.task for cell in missing}
    counts: Counter[tuple[str, int]] = Counter()
    newest: dict[str, int] = {}
    for label, revision in store.revisions() if tasks else ():
        newest[label] = max(revision, newest.get(label, revision))
    for label, revision in newest.items():
        if label in tasks and revision < REVISION:
            located = task_of(tasks[label])
            counts[located[0] if located else tasks[label], revision] += 1
    lines = []
    for (benchmark, revision), count in sorted(counts.items()):
        later = [reasons for number, reasons in _reasons().items() if number > revision]
        why = "; ".join(part for reasons in later for part in (reasons.get(benchmark), reasons.get("all")) if part)
        if why:
            lines.append(f"{count} cells of {benchmark} are of an earlier version and are computed again: {why}")
    return lines
