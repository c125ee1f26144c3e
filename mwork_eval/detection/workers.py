"""Several processes that share one detection: `accelerate launch` or torchrun, on one machine or many."""

from dataclasses import dataclass

import numpy as np
import torch

from mwork_eval.detection.partial import PartialScores
from mwork_eval.detection.recording.accumulator import ScoreAccumulator
from mwork_eval.files.tensor_file import Array
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.processes import join_processes


@dataclass(frozen=True)
class Workers:
    """This process among those that share the work.

    Attributes:
        index: This process, from 0.
        count: Number of processes.
        device: Where collective operations and this process's model belong, or None for a single process.
    """

    index: int = 0
    count: int = 1
    device: torch.device | None = None

    @classmethod
    def join(cls) -> "Workers":
        """Join the processes that a launcher started, or be alone."""
        state = join_processes()
        return cls() if state is None else cls(state.process_index, state.num_processes, state.device)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.index == 0

    @property
    def model_device(self) -> str | None:
        """The device for this process's model, or None for the default."""
        return None if self.device is None else str(self.device)

    def agree(self, answer: bool) -> bool:
        """Return the main process's answer in every process: they may not see the same files."""
        answers = [answer]
        if self.count > 1:
            torch.distributed.broadcast_object_list(answers)
        return answers[0]

    def wait(self) -> None:
        """Wait for all others."""
        if self.count > 1:
            torch.distributed.barrier()

    def merge(self, part: PartialScores) -> PartialScores:
        """Join what all processes scored; every process gets the same result.

        All processes must have read the same corpus to its end.
        """
        if self.count == 1:
            return part
        merged = PartialScores(part.shape, part.run, batches=part.batches, corpus=part.corpus, complete=part.complete)
        names: list[list[str] | None] = [None] * self.count
        torch.distributed.all_gather_object(names, sorted(part.groups))
        for name in sorted({name for own in names for name in own or []}):
            self._reduce(part.group(name), merged.group(name))
        return merged

    def _reduce(self, group: ScoreAccumulator, merged: ScoreAccumulator) -> None:
        """Put what all processes have of a group into an empty one."""
        reduce = torch.distributed.ReduceOp
        operations = {"min": reduce.MIN, "sum": reduce.SUM, "max": reduce.MAX}
        mine = {name: {place: array.shape for place, array in of.items()} for name, of in group.totals.items()}
        everywhere: list[tuple[int, dict[str, dict[Place, tuple[int, ...]]]]] = [(0, {})] * self.count
        torch.distributed.all_gather_object(everywhere, (group.documents, mine))
        totals: dict[str, dict[Place, Array]] = {}
        for name, statistic in group.statistics.items():
            shapes = {place: shape for _, shapes in everywhere for place, shape in shapes.get(name, {}).items()}
            own = group.totals[name]
            if statistic.merge == "rows":
                totals[name] = {place: self._gathered(own.get(place)) for place in sorted(shapes)}
                continue
            totals[name] = {}
            for place in sorted(shapes):  # in the same order in all processes
                array = own.get(place, np.full(shapes[place], statistic.start, statistic.dtype))
                tensor = torch.from_numpy(array).clone().to(self.device)
                torch.distributed.all_reduce(tensor, operations[statistic.merge])
                totals[name][place] = tensor.cpu().numpy()
        merged.join(totals, sum(documents for documents, _ in everywhere))

    def _gathered(self, rows: Array | None) -> Array:
        """Return the rows of all processes."""
        parts: list[Array | None] = [None] * self.count
        torch.distributed.all_gather_object(parts, rows)
        return np.concatenate([part for part in parts if part is not None])
