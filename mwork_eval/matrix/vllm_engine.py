"""The engine of a matrix that computes with vLLM: one engine for all masks, and another one if it fails a proof."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mwork_eval.errors import InputError
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.lm.vllm.fault import EngineFaultError
from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.results.store import CellStore


class RestartableLM(MaskableLM, Protocol):
    """A model that another engine can compute when the first one answers otherwise than it did."""

    def restart(self) -> None:
        """Start another engine, unmasked."""


class VllmEngine:
    """A model in vLLM; cells are computed one after the other, those under one mask together.

    Attributes:
        facts: What the model is.
        first: Whether this process plans, writes and reports: always.
    """

    first = True

    def __init__(self, model: RestartableLM, name: str) -> None:
        """Take a model, unmasked.

        Args:
            model: The model.
            name: Its name.
        """
        self._model = model
        self.facts = ModelFacts.of(model, name)

    def run(
        self,
        plan: CellPlan,
        folder: Path,
        *,
        shard: tuple[int, int] = (0, 1),
        advance: Callable[[str, int], Any] = lambda label, done: None,
        tell: Callable[[str], Any] = lambda message: None,
    ) -> int:
        """Compute every cell of a shard that is not on disk yet, as `run_matrix` does.

        An engine that does not answer as it did with the same weights is replaced; finished cells stay, because each
        was computed with weights that were proven before and that nobody has touched since.

        Raises:
            InputError: As `run_matrix` does, and if new engines fail, too, before a cell is finished.
        """
        done, at_restart = 0, -1

        def count(label: str, cells: int) -> None:
            nonlocal done
            done += cells
            advance(label, cells)

        store = CellStore(folder)
        while True:
            try:
                run_matrix(self._model, plan, folder, shard=shard, advance=count, tell=tell)
                return done
            except EngineFaultError as fault:
                if not plan.missing(store, shard):
                    return done  # it was to be unmasked in the end
                if done == at_restart:
                    raise InputError(str(fault), hint="what is finished is kept") from fault
                tell(f"{fault}: another engine is started")
                at_restart = done
                self._model.restart()
