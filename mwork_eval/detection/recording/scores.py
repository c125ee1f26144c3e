"""The record that every pass keeps: PLND's scores (arXiv:2402.18815), how much zeroing a neuron changes."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mwork_eval.detection.recording.record import ReadBatch, Recorder
from mwork_eval.detection.recording.statistic import Statistic
from mwork_eval.neurons.neuron_set import Place

if TYPE_CHECKING:
    from mwork_eval.detection.recording.statistic import Observation
    from mwork_eval.files.tensor_file import Array
    from mwork_eval.models.layout import Layout
    from mwork_eval.neurons.shape import ModelShape


class Scores:
    """Keeps of every neuron its scores in all documents.

    A table's `minimum` is the smallest score over documents, float32: a neuron belongs to the language at threshold ε
    if its minimum is at least ε (Eq. 2). `mean` is the mean score, float32. `worst_rank` is the worst rank within layer
    and structure over documents, int32, 0 for the highest score: a neuron is among the top k of every document if it is
    below k.
    """

    statistics = (
        Statistic("minimum", "float32", np.inf, "min"),
        Statistic("sum", "float64", 0, "sum"),
        Statistic("worst_rank", "int32", 0, "max"),
    )
    columns = ("minimum", "mean", "worst_rank")
    needs_activations = False
    by_document = False

    def recorder(self, layout: "Layout") -> Recorder:
        """Get ready: the scores come with each batch."""
        return _ScoresRecorder()

    def finish(self, totals: "Observation", documents: int, shape: "ModelShape") -> "Observation":
        """Return smallest and mean score, and worst rank."""
        mean = {place: (total / documents).astype(np.float32) for place, total in totals["sum"].items()}
        return {"minimum": totals["minimum"], "mean": mean, "worst_rank": totals["worst_rank"]}

    def about(self, totals: "Observation", shape: "ModelShape") -> Mapping[str, Any]:
        """Return nothing: scores need no more words."""
        return {}


RECORD = Scores()


class _ScoresRecorder:
    def observe(self, batch: ReadBatch) -> "Iterator[Observation]":
        return map(statistics_of, batch.scores)


def statistics_of(scores: "Mapping[Place, Array]") -> "Observation":
    """Return the statistics of one document from its scores, per (layer, structure) float32 `[neurons]`."""
    ranks: dict[int, npt.NDArray[np.int32]] = {}  # gate, up and down share one array
    for found in scores.values():
        if id(found) not in ranks:
            ranks[id(found)] = _ranks(found)
    return {"minimum": scores, "sum": scores, "worst_rank": {place: ranks[id(one)] for place, one in scores.items()}}


def _ranks(scores: "Array") -> npt.NDArray[np.int32]:
    """Return the rank of every score, 0 for the highest; equal scores rank by index, the same on every machine."""
    ranks = np.empty(len(scores), np.int32)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores), dtype=np.int32)
    return ranks
