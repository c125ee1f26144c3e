"""The engine that computes in this process, or with those that a launcher started for one model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.runner import run_matrix


class SerialEngine:
    """A loaded model; cells are computed one after the other.

    Attributes:
        facts: What the model is.
        first: Whether this process plans, writes and reports.
    """

    def __init__(self, model: MaskableLM, name: str) -> None:
        """Take a model, unmasked.

        Args:
            model: The model.
            name: Its name.

        Raises:
            InputError: If weights are offloaded.
        """
        self._model = model
        self.facts, self.first = ModelFacts.of(model, name), model.rank == 0

    def run(
        self,
        plan: CellPlan,
        folder: Path,
        *,
        shard: tuple[int, int] = (0, 1),
        advance: Callable[[str, int], Any] = lambda label, done: None,
        tell: Callable[[str], Any] = lambda message: None,
    ) -> int:
        """Compute every cell of a shard that is not on disk yet, as `run_matrix` does."""
        return run_matrix(self._model, plan, folder, shard=shard, advance=advance, tell=tell)
