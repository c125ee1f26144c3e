"""Compute one cell: the seam between what is to be done and the process that does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mwork_eval.evaluation.evaluate import evaluate_task
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.results.task_score import TaskScore


@dataclass(frozen=True)
class CellResult:
    """A computed cell.

    Attributes:
        score: The score.
        samples: lm-eval's samples.
        task: What lm-eval's results say of the task.
        masked: What was deactivated, as the model says; None if nothing was.
    """

    score: TaskScore
    samples: list[dict[str, Any]]
    task: Mapping[str, Any]
    masked: dict[str, Any] | None


def compute_cell(
    model: MaskableLM, intervention: Intervention | None, task: PreparedTask, known: Mapping[str, Any] | None = None
) -> CellResult | None:
    """Score a model on a task under an intervention.

    The model keeps the mask, because the next cell often has the same; the caller unmasks it in the end.

    Args:
        model: The model.
        intervention: What is done to its neurons, or None.
        task: The task.
        known: Answers that need not be computed.

    Returns:
        The result; None in all processes but the first of several that share the cell.
    """
    if intervention is None:
        model.unmask()
    elif model.masked is None or model.masked["digest"] != intervention.digest:
        model.mask(intervention)
    scored = evaluate_task(model, task, known=known)
    return None if scored is None else CellResult(*scored, model.masked)
