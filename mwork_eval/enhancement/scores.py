"""The scores of an enhancement: the base and every delta on every task, as cells that the matrix runner computes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.enhancement.documents import document_digest
from mwork_eval.enhancement.record import Record, TrainedDelta
from mwork_eval.errors import InputError
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import EVEN, Order, Sample
from mwork_eval.lm.maskable import DeltaLM
from mwork_eval.lm.model_identity import identity_with_delta
from mwork_eval.matrix.cell_plan import CellPlan, TaskSource, families_by_task
from mwork_eval.matrix.identity import ModelFacts, identity_of
from mwork_eval.matrix.plan import Cell
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore
from mwork_eval.weight_deltas.delta import load_delta


@dataclass(frozen=True)
class DeltaCell(Cell):
    """One score of the base or of a delta.

    Attributes:
        trained: The delta; None for the base.
    """

    trained: TrainedDelta | None = None

    @property
    def label(self) -> str:
        """Short text for progress and messages."""
        of = "base" if self.trained is None else f"{self.trained.run.name}, {self.trained.documents} documents"
        return f"{of} · {self.task}"


Scores = Mapping[tuple[TrainedDelta | None, str], TaskScore]
"""By delta (None for the base) and name of the task."""


def seen_in_training(record: Record) -> Callable[[Mapping[str, Any]], bool]:
    """Return what tells the documents of a task whose text training saw; such a document proves nothing."""
    seen = {digest for of_language in record.seen.values() for digest in of_language}
    return lambda document: isinstance(document.get("text"), str) and document_digest(document["text"]) in seen


def plan_scores(
    facts: ModelFacts,
    record: Record,
    families: Sequence[TaskFamily],
    *,
    data: str | None,
    limit: int | None,
    order: Order = EVEN,
    prompting: Prompting | None = None,
) -> CellPlan:
    """Plan the scores of the base and of every delta of a record, and load the tasks' documents.

    Documents that training saw are left out, and so are their translations.

    Raises:
        InputError: If a task's data cannot be had, or training saw all of it.
    """
    cells = [
        DeltaCell(None, family, language, trained)
        for trained in (None, *record.deltas)
        for family in families
        for language in family.languages
    ]
    names = tuple(dict.fromkeys(cell.task for cell in cells))
    source = TaskSource(
        names,
        data,
        Sample(limit, order, unwanted=seen_in_training(record)),
        prompting=prompting or Prompting(),
        families=families_by_task(cells),
    )
    tasks = source.prepare()
    models = {
        trained: facts.identity if trained is None else identity_with_delta(facts.identity, trained.digest)
        for trained in (None, *record.deltas)
    }
    return CellPlan(
        cells=cells,
        identities=[identity_of(models[cell.trained], None, tasks[cell.task]) for cell in cells],
        source=source,
        tasks=tasks,
    )


def count_left_out(plan: CellPlan) -> dict[str, int]:
    """Return, per task with any, the number of documents that are left out because training saw them."""
    unwanted = plan.source.sample.unwanted
    assert unwanted is not None
    counts = {name: sum(map(unwanted, task.task.eval_docs)) for name, task in plan.tasks.items()}
    return {name: count for name, count in counts.items() if count}


def compute_scores(
    model: DeltaLM,
    plan: CellPlan,
    folder: Path,
    *,
    force: bool = False,
    advance: Callable[[str, int], Any] = lambda label, done: None,
    tell: Callable[[str], Any] = lambda message: None,
) -> None:
    """Compute the scores that are not on disk yet; the model is the base again in the end.

    Args:
        model: The base.
        plan: What to score.
        folder: The enhancement folder; scores go to its `cells`.
        force: Accept deltas of other weights of the same sizes.
        advance: See `run_matrix`.
        tell: See `run_matrix`.

    Raises:
        InputError: If a delta is missing, damaged, or another one than was recorded.
    """

    def put(cell: Cell) -> None:
        trained = cell.trained if isinstance(cell, DeltaCell) else None
        if (model.delta and model.delta.digest) == (trained and trained.digest):
            return
        delta = None if trained is None else load_delta(folder / trained.file)
        if trained is not None and delta is not None and delta.digest != trained.digest:
            raise InputError(
                f"{folder / trained.file} is not the delta that was trained",
                found=delta.digest[:12],
                expected=trained.digest[:12],
                hint="train into another `out`",
            )
        model.put_delta(delta, force=force)

    try:
        run_matrix(model, plan, folder, prepare=put, advance=advance, tell=tell)
    finally:
        model.put_delta(None)


def stored_scores(plan: CellPlan, store: CellStore) -> dict[tuple[TrainedDelta | None, str], TaskScore]:
    """Return the scores of a plan that are stored."""
    return {
        (cell.trained, cell.task): score
        for identity, cell in zip(plan.identities, plan.cells, strict=True)
        if isinstance(cell, DeltaCell) and (score := store.load(identity)) is not None
    }
