"""A plan of cells, whatever they are about: their tasks, what identifies each, and a share for one of several jobs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mwork_eval.ablation.plan import Cell
from mwork_eval.ablation.store import CellStore
from mwork_eval.harness.evaluate import PreparedTask, prepare_tasks


@dataclass(frozen=True)
class TaskSource:
    """What determines the tasks' documents and requests; every process that prepares them gets the same.

    Attributes:
        names: The lm-eval tasks.
        data: Where their data come from, as `prepare_tasks` takes it.
        limit: Documents of each, or None for all.
        skip: By task name, how many first documents are left out.
        unwanted: Tells the documents that are left out wherever they are; None if there are none.
        spread: Whether the documents are evenly spaced over each task rather than the first ones.
    """

    names: tuple[str, ...]
    data: str | None
    limit: int | None
    skip: Mapping[str, int] = field(default_factory=dict)
    unwanted: Callable[[Mapping[str, Any]], bool] | None = None
    spread: bool = False

    def prepare(self) -> dict[str, PreparedTask]:
        """Load the documents and build the requests.

        Raises:
            InputError: If a task cannot be had.
        """
        return prepare_tasks(
            self.names, data=self.data, limit=self.limit, skip=self.skip, unwanted=self.unwanted, spread=self.spread
        )


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """Cells ready to be computed.

    Attributes:
        cells: Every cell; several may be the same score.
        identities: Per cell, what identifies it.
        source: Where the tasks come from.
        tasks: Per task name, the task with its documents.
    """

    cells: Sequence[Cell]
    identities: Sequence[str]
    source: TaskSource
    tasks: Mapping[str, PreparedTask]

    @cached_property
    def distinct(self) -> dict[str, Cell]:
        """By identity, one cell of each score, in the order of computation."""
        found: dict[str, Cell] = {}
        for identity, cell in zip(self.identities, self.cells, strict=True):
            found.setdefault(identity, cell)
        return found

    def missing(self, store: CellStore, shard: tuple[int, int] = (0, 1)) -> list[tuple[str, Cell]]:
        """Return the identity and the cell of each score of a shard that is not stored yet.

        Args:
            store: The stored cells.
            shard: Which share of the distinct cells, from 0, and of how many.

        Raises:
            InputError: If a stored cell is damaged.
        """
        index, count = shard
        cells = list(self.distinct.items())[index::count]
        return [(identity, cell) for identity, cell in cells if store.load(identity) is None]
