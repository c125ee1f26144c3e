"""The runner of a matrix over a Ray cluster: actors compute cells, this process plans and stores them."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.matrix.cell_queue import POLL_SECONDS, CellQueue, wait_for_cell
from mwork_eval.matrix.plan import Cell
from mwork_eval.matrix.ray_worker import CellWorker
from mwork_eval.matrix.reuse import known_answers
from mwork_eval.results.store import CellStore

CPU_WORKERS = 2
"""Workers on a cluster without GPUs if their number is not given."""

PATIENCE_SECONDS = 30.0
"""After so long without a worker the user is told that the cluster has no room."""

MOST_DEATHS = 3
"""A cell on which this many workers died is given up."""


@contextmanager
def ray_cluster() -> Iterator[None]:
    """Connect to the cluster that RAY_ADDRESS names, or start one on this machine, for the time of a block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    address = os.environ.get("RAY_ADDRESS", "local")
    alone = {"include_dashboard": False} if address == "local" else {}
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **alone)
    try:
        yield
    finally:
        ray.shutdown()


class RayEngine:
    """The workers of a matrix on the cluster this process is connected to.

    Attributes:
        facts: What the model is.
        first: Whether this process plans, writes and reports: always.
    """

    first = True

    def __init__(
        self,
        load: Callable[[], MaskableLM],
        name: str,
        workers: int | None = None,
        tell: Callable[[str], Any] = lambda message: None,
    ) -> None:
        """Start the first worker, which loads the model.

        Args:
            load: Loads the model, unmasked. It goes to other machines: a function of a module, or a `partial` of one.
            name: Name of the model.
            workers: Number of workers; one per GPU, or two without GPUs, if not given. Never more than there is
                room for.
            tell: Called with a message when no worker can start yet.

        Raises:
            InputError: If the model cannot be loaded there.
        """
        import ray

        self._load, self._name = load, name
        room = ray.available_resources()
        cpus, gpus = max(1, int(room.get("CPU", 1))), int(room.get("GPU", 0))
        self.most = min(workers or gpus or CPU_WORKERS, gpus or cpus)
        # A worker must fit into one machine of the cluster.
        largest = max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"])
        self._needs = {"num_cpus": 1, "num_gpus": 1} if gpus else {"num_cpus": min(largest, cpus // self.most)}
        self._first: Any = self.new_worker()
        try:
            facts = self._first.facts.remote()
            if not ray.wait([facts], timeout=PATIENCE_SECONDS)[0]:
                wanted = " and ".join(f"{count} {name[4:-1].upper()}" for name, count in self._needs.items())
                tell(f"the first worker is not ready yet; it needs {wanted} of one machine of the cluster")
            self.facts = _result(facts)
        except _deaths() as error:
            raise InputError("the worker died while it loaded the model", found=_reason(error)) from error

    def new_worker(self) -> Any:
        """Start a worker; it waits until the cluster has room."""
        import ray

        return ray.remote(CellWorker).options(**self._needs).remote(self._load, self._name)

    def run(
        self,
        plan: CellPlan,
        folder: Path,
        *,
        shard: tuple[int, int] = (0, 1),
        advance: Callable[[str, int], Any] = lambda label, done: None,
        tell: Callable[[str], Any] = lambda message: None,
    ) -> int:
        """Compute every cell of a shard that is not on disk yet; the arguments are those of `run_matrix`.

        A worker that dies is replaced, and only its cell is computed again.

        Returns:
            The number of cells computed.

        Raises:
            InputError: If a worker has another model or other documents, or workers keep dying on a cell.
        """
        store = CellStore(folder)
        store.discard_left_behind()
        missing = plan.missing(store, shard)
        with CellQueue(store, missing, advance) as queue:
            round_of_work = _Dispatch(self, plan, store, queue, tell)
            for number in range(min(self.most, len(missing))):
                round_of_work.prepare(self._first if number == 0 else self.new_worker())
            round_of_work.finish()
            return queue.computed


class _Dispatch:
    """Gives cells to workers and stores what they return."""

    def __init__(
        self, engine: RayEngine, plan: CellPlan, store: CellStore, queue: CellQueue, tell: Callable[[str], Any]
    ) -> None:
        self._engine, self._plan, self._store, self._queue, self._tell = engine, plan, store, queue, tell
        self._deaths: Counter[str] = Counter()
        self._idle: list[Any] = []
        # By what a worker is to return: the worker, and its cell unless it still prepares.
        self._busy: dict[Any, tuple[Any, tuple[str, Cell] | None]] = {}

    def prepare(self, worker: Any) -> None:
        """Let a worker load the model and the tasks."""
        digests = {name: task.digest for name, task in self._plan.tasks.items()}
        self._busy[worker.prepare.remote(self._engine.facts, self._plan.source, digests)] = (worker, None)

    def finish(self) -> None:
        """Go on until every cell of the queue is stored, by these workers or by another process."""
        import ray

        while True:
            while self._idle and (taken := self._queue.take()) is not None:
                self._start(taken)
            # A worker that still waits for room in the cluster is not waited for.
            if not self._queue.pending and all(taken is None for _, taken in self._busy.values()):
                return
            if not self._busy:
                if (taken := wait_for_cell(self._queue, self._tell)) is None:
                    return
                self._start(taken)
            others = bool(self._idle and self._queue.pending)
            returned, _ = ray.wait(list(self._busy), timeout=POLL_SECONDS if others else None)
            for reference in returned:
                self._collect(reference)

    def _start(self, taken: tuple[str, Cell]) -> None:
        identity, cell = taken
        worker = self._idle.pop()
        known = known_answers(self._store, identity, self._plan.tasks[cell.task])
        self._busy[worker.compute.remote(cell.intervention, cell.task, known)] = (worker, taken)

    def _collect(self, reference: Any) -> None:
        worker, taken = self._busy.pop(reference)
        try:
            result = _result(reference)
        except _deaths() as error:
            doing = "loading the model" if taken is None else f"computing {taken[1].label}"
            self._deaths[doing] += 1
            if self._deaths[doing] == MOST_DEATHS:
                raise InputError(
                    f"{MOST_DEATHS} workers died while {doing}",
                    found=_reason(error),
                    hint="what is finished is kept; with more memory or fewer `workers` the same command goes on",
                ) from error
            if taken is not None:
                self._queue.give_back(*taken)
            self._tell(f"a worker died while {doing}; another one takes over")
            self.prepare(self._engine.new_worker())
            return
        if taken is not None:
            self._queue.store(*taken, result)
        self._idle.append(worker)


def _result(reference: Any) -> Any:
    """Return what a worker returned; bad input it met is raised here as if it had been met here."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise InputError(str(error.cause)) from error
        raise


def _deaths() -> tuple[type[Exception], ...]:
    """Return the errors that say a worker is gone; one killed for its memory is no `RayActorError`."""
    from ray import exceptions

    return exceptions.RayActorError, exceptions.OutOfMemoryError, exceptions.ActorUnschedulableError


def _reason(error: Exception) -> str:
    """Return the line of Ray's long message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "dead because" in line), lines[0] if lines else type(error).__name__)
