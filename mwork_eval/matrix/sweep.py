"""The grid of `tuning` as a matrix: its cells, and their scores once the runner has stored them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.cell_plan import CellPlan, TaskSource
from mwork_eval.matrix.identity import ModelFacts, identity_of
from mwork_eval.matrix.plan import Cell, Mask
from mwork_eval.matrix.settings import Setting
from mwork_eval.matrix.tuning import Boundaries, GridPoint
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore


@dataclass(frozen=True)
class GridCell(Cell):
    """One score of a grid point.

    Attributes:
        boundaries: The point's numbers of understanding and of generation layers.
    """

    boundaries: Boundaries

    @property
    def label(self) -> str:
        """Short text for progress and messages."""
        return "{} + {} layers · {}".format(*self.boundaries, self.task)


def prepare_tuning(source: TaskSource) -> dict[str, PreparedTask]:
    """Load the documents to tune on; no model is needed. Returns the tasks by name.

    Raises:
        InputError: If the data cannot be had, or no document would be left for the tables.
    """
    tasks = source.prepare()
    for name, task in tasks.items():
        total = len(task.task.eval_docs)
        if source.sample.limit is None or source.sample.limit >= total:
            raise InputError(
                f"tuning on {source.sample.limit or 'all'} documents of {name} leaves none for the tables",
                found=f"{total} documents",
                expected=f"`limit` below {total}",
            )
    return tasks


def plan_sweep(
    facts: ModelFacts,
    grid: Sequence[GridPoint],
    family: TaskFamily,
    positions: tuple[str, ...],
    source: TaskSource,
    tasks: Mapping[str, PreparedTask],
    pivot: str = ENGLISH,
) -> CellPlan:
    """Return the cells of a grid as a matrix of one row per point, the baseline first.

    Args:
        facts: What there is to know of the model.
        grid: The points.
        family: The benchmark, with the pivot and one other language, whose neurons the grid deactivates.
        positions: Where.
        source: Where the tasks come from.
        tasks: What `prepare_tuning` gave for it.
        pivot: The language that the other is compared with.
    """
    setting = Setting(random=False, positions=positions)
    (own,) = set(family.languages) - {pivot}
    cells = [Cell(None, family, language) for language in family.languages]
    for point in grid:
        if point.neurons is not None:
            mask = Mask(setting, own, None, point.neurons, pivot=pivot)
            cells += [GridCell(mask, family, language, point.boundaries) for language in family.languages]
    return CellPlan(
        cells=cells,
        identities=[identity_of(facts.identity, cell.intervention, tasks[cell.task]) for cell in cells],
        source=source,
        tasks=tasks,
    )


def sweep_scores(
    plan: CellPlan, store: CellStore
) -> tuple[dict[str, TaskScore], dict[Boundaries, dict[str, TaskScore]]]:
    """Return the stored scores of a sweep that has run: the baseline by language, and those of every point.

    Raises:
        InputError: If one is not stored.
    """
    baseline: dict[str, TaskScore] = {}
    masked: dict[Boundaries, dict[str, TaskScore]] = {}
    for identity, cell in zip(plan.identities, plan.cells, strict=True):
        score = store.load(identity)
        if score is None:
            raise InputError("a score of the sweep is gone", found=f"no {store.path(identity)}", hint="run it again")
        of_point = masked.setdefault(cell.boundaries, {}) if isinstance(cell, GridCell) else baseline
        of_point[cell.language] = score
    return baseline, masked
