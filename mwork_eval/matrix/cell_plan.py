"""A plan of cells, whatever they are about: their tasks, what identifies each, and a share for one of several jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.matrix.plan import Cell
from mwork_eval.results.store import CellStore


@dataclass(frozen=True)
class TaskSource:
    """What determines the tasks' documents and requests; every process that prepares them gets the same.

    Attributes:
        names: The lm-eval tasks.
        data: Where their data come from, as `prepare_tasks` takes it.
        sample: Which documents of each.
        metrics: By task, the main metric that was asked for.
        prompting: How they are asked.
        families: By task, the family whose languages share documents, as `prepare_tasks` takes it.
    """

    names: tuple[str, ...]
    data: str | None
    sample: Sample = field(default_factory=Sample)
    metrics: Mapping[str, str] = field(default_factory=dict)
    prompting: Prompting = field(default_factory=Prompting)
    families: Mapping[str, str] = field(default_factory=dict)

    def prepare(self) -> dict[str, PreparedTask]:
        """Load the documents and build the requests.

        Raises:
            InputError: If a task cannot be had.
        """
        return prepare_tasks(
            self.names,
            data=self.data,
            sample=self.sample,
            metrics=self.metrics,
            prompting=self.prompting,
            families=self.families,
        )


def families_by_task(cells: Sequence[Cell]) -> dict[str, str]:
    """Return the family of each task of some cells; of a task of several, the first."""
    return {cell.task: cell.family.name for cell in reversed(cells)}


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

        Those under one mask come after each other, so that it is loaded once.

        Args:
            store: The stored cells.
            shard: Which share of the distinct cells, from 0, and of how many.

        Raises:
            InputError: If a stored cell is damaged.
        """
        index, count = shard
        cells = list(self.distinct.items())[index::count]
        missing = [(identity, cell) for identity, cell in cells if store.load(identity) is None]
        by_mask: dict[str | None, list[tuple[str, Cell]]] = {}
        for identity, cell in missing:
            mask = None if cell.intervention is None else cell.intervention.digest
            by_mask.setdefault(mask, []).append((identity, cell))
        return [one for of_mask in by_mask.values() for one in of_mask]
