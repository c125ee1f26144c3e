"""The seam between a plan and what computes it: this process, the workers of a cluster, another inference engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.matrix.identity import ModelFacts


class Engine(Protocol):
    """Computes the cells of a plan with a model that is ready, here or elsewhere."""

    @property
    def facts(self) -> ModelFacts:
        """What the model is."""

    @property
    def first(self) -> bool:
        """Whether this process plans, writes and reports; of several that a launcher started, one does."""

    def run(
        self,
        plan: CellPlan,
        folder: Path,
        *,
        shard: tuple[int, int] = (0, 1),
        advance: Callable[[str, int], Any] = lambda label, done: None,
        tell: Callable[[str], Any] = lambda message: None,
    ) -> int:
        """Compute every cell of a shard that is not on disk yet, and store each before the next.

        Args:
            plan: What to compute.
            folder: The results folder; other processes may work on it at the same time.
            shard: Which share of the cells to compute, from 0, and of how many.
            advance: Called with a label and the number of cells just done: 0 or 1.
            tell: Called with a message beside the progress.

        Returns:
            The number of cells computed.

        Raises:
            InputError: If a stored cell is damaged, or the model cannot do a task.
        """
