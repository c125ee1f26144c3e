"""The cells a process has to compute, shared with every other process that works on the same folder."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from mwork_eval.matrix.compute import CellResult
from mwork_eval.matrix.plan import Cell
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import lm_eval_digest

POLL_SECONDS = 0.5
"""How long to wait before looking again at a cell that another process computes."""


class CellQueue:
    """Gives out cells that nobody has stored and no other process computes now; stores their results.

    A cell that another process has is put off until all others are done, and given out then if that process died.
    Use it as a context manager: cells that were given out and not stored are free for others at its end.

    Attributes:
        computed: Number of cells stored by this process.
    """

    def __init__(self, store: CellStore, cells: Iterable[tuple[str, Cell]], advance: Callable[[str, int], Any]) -> None:
        """Queue cells.

        Args:
            store: Where cells are stored.
            cells: Identity and cell, in the order they are wanted.
            advance: Called with a label and the number of cells just done, here or elsewhere: 0 or 1.
        """
        self._store, self._advance = store, advance
        self._pending = deque(cells)
        self._claims: dict[str, ExitStack] = {}
        self.computed = 0

    def __enter__(self) -> "CellQueue":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for identity in list(self._claims):
            self._claims.pop(identity).close()

    @property
    def pending(self) -> list[Cell]:
        """Cells that were neither given out nor found stored yet."""
        return [cell for _, cell in self._pending]

    def take(self) -> tuple[str, Cell] | None:
        """Give out a cell with its identity; None if there is none now, or others compute all that are left."""
        for _ in range(len(self._pending)):
            identity, cell = self._pending.popleft()
            claim = ExitStack()
            if not claim.enter_context(self._store.claim(identity)):
                claim.close()
                self._pending.append((identity, cell))
            elif self._store.load(identity) is not None:
                claim.close()
                self._advance(cell.label, 1)
            else:
                self._claims[identity] = claim
                self._advance(cell.label, 0)
                return identity, cell
        return None

    def store(self, identity: str, cell: Cell, result: CellResult) -> None:
        """Store the result of a cell that was given out."""
        about = {
            "label": cell.label,
            "masked": result.masked,
            "task": result.task,
            "task_hash": lm_eval_digest(result.samples),
        }
        self._store.save(identity, result.score, about, result.samples)
        self._claims.pop(identity).close()
        self.computed += 1
        self._advance(cell.label, 1)

    def give_back(self, identity: str, cell: Cell) -> None:
        """Let a cell that was given out be given out again, before all others."""
        self._claims.pop(identity).close()
        self._pending.appendleft((identity, cell))


def wait_for_cell(queue: CellQueue, tell: Callable[[str], Any]) -> tuple[str, Cell] | None:
    """Take a cell from a queue, waiting for other processes if they have all that are left; None if none is left.

    Args:
        queue: The queue.
        tell: Called once with a message if there is something to wait for.
    """
    told = False
    while (taken := queue.take()) is None and (pending := queue.pending):
        if not told:
            more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
            tell(f"waiting for another process, which computes {pending[0].label}{more}")
            told = True
        time.sleep(POLL_SECONDS)
    return taken
