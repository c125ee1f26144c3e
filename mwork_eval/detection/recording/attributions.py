"""The record of attributions: how far the probability of a text leans on a neuron, |activation x gradient|."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mwork_eval.detection.recording.places import completed, missing_of
from mwork_eval.detection.recording.record import ReadBatch, Recorder
from mwork_eval.detection.recording.statistic import Statistic

if TYPE_CHECKING:
    from mwork_eval.detection.recording.statistic import Observation
    from mwork_eval.models.layout import Layout
    from mwork_eval.neurons.shape import ModelShape


class Attributions:
    """Keeps the mean over documents of a mean over tokens.

    A table's `attribution` is |activation x d(mean log-probability of the document's tokens) / d(activation)|, averaged
    over its tokens and over documents, float32. It takes a forward and a backward pass more for each document.
    """

    statistics = (Statistic("attribution_sum", "float64", 0, "sum"),)
    columns = ("attribution",)
    needs_activations = False
    by_document = False

    def recorder(self, layout: "Layout") -> Recorder:
        """Get ready to run the model backwards."""
        return _AttributionsRecorder(layout)

    def finish(self, totals: "Observation", documents: int, shape: "ModelShape") -> "Observation":
        """Return the mean over documents."""
        mean = {place: (total / documents).astype(np.float32) for place, total in totals["attribution_sum"].items()}
        return {"attribution": completed(mean, shape)}

    def about(self, totals: "Observation", shape: "ModelShape") -> Mapping[str, Any]:
        """Return the places that could not be recorded."""
        missing = missing_of(totals["attribution_sum"], shape)
        return {"not_recorded": missing} if missing else {}


RECORD = Attributions()


class _AttributionsRecorder:
    def __init__(self, layout: "Layout") -> None:
        from mwork_eval.detection.recording.gradient_pass import GradientPass

        self._gradients = GradientPass(layout)

    def observe(self, batch: ReadBatch) -> "Iterator[Observation]":
        for tokens, begun in zip(batch.documents, batch.begun, strict=True):
            yield {"attribution_sum": self._gradients.attributions(tokens, begun, batch.forms)}
