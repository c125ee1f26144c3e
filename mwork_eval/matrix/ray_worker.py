"""What a Ray actor does in a matrix: load the model once, then compute one cell at a time."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.compute import CellResult, compute_cell
from mwork_eval.matrix.identity import ModelFacts


class CellWorker:
    """A model in another process."""

    def __init__(self, load: Callable[[], MaskableLM], name: str) -> None:
        """Make a worker; nothing is loaded yet.

        Args:
            load: Loads the model, unmasked.
            name: Name of the model.
        """
        self._load, self._name = load, name
        self._tasks: Mapping[str, PreparedTask] = {}

    @cached_property
    def _model(self) -> MaskableLM:
        return self._load()

    def facts(self) -> ModelFacts:
        """Say what the model is.

        Raises:
            InputError: If it cannot be loaded.
        """
        return ModelFacts.of(self._model, self._name)

    def prepare(self, facts: ModelFacts, source: TaskSource, digests: Mapping[str, str]) -> None:
        """Prepare the tasks, and check that this worker's cells belong to the plan.

        Args:
            facts: The model of the plan.
            source: What determines the tasks.
            digests: Per task, the digest of its requests in the plan.

        Raises:
            InputError: If this machine has another model, other documents or other prompts, or the model cannot do a
                task.
        """
        if (own := self.facts()) != facts:
            raise InputError(f"a worker has another model {self._name}", found=own.identity, expected=facts.identity)
        self._tasks = source.prepare()
        self._model.check_tasks(task.task for task in self._tasks.values())
        for name, task in self._tasks.items():
            if task.digest != digests[name]:
                raise InputError(
                    f"a worker has other documents or prompts of {name}",
                    found=task.digest[:12],
                    expected=digests[name][:12],
                    hint="give all machines the same data and versions",
                )

    def compute(self, intervention: Intervention | None, task: str, known: Mapping[str, Any]) -> CellResult | None:
        """Compute a cell.

        Args:
            intervention: What is done to the model, or None.
            task: Name of the task.
            known: Answers that need not be computed.
        """
        return compute_cell(self._model, intervention, self._tasks[task], known)
