"""The record of activations: how often a neuron is above zero in a language, and its first and second moment."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mwork_eval.detection.recording.places import completed, missing_of
from mwork_eval.detection.recording.record import ReadBatch, Recorder
from mwork_eval.detection.recording.statistic import CORPUS, Statistic

if TYPE_CHECKING:
    from mwork_eval.detection.recording.statistic import Observation
    from mwork_eval.models.layout import Layout
    from mwork_eval.neurons.shape import ModelShape


class Activations:
    """Keeps counts and sums over the tokens of all documents.

    A table's `over_zero` counts the tokens at which act(gate) is above zero (without a gate, act(up); of q, k, v and o,
    the activation), int32. `activation_mean` and `activation_square` are the means over tokens of the activation and of
    its square, float32; the first also has a mean per channel of what each layer gives, at (layer, "residual").
    ``about["activation_tokens"]`` is the number of these tokens.
    """

    statistics = (
        Statistic("over_zero", "int32", 0, "sum"),
        Statistic("activation_sum", "float64", 0, "sum"),
        Statistic("activation_square_sum", "float64", 0, "sum"),
        Statistic("activation_tokens", "int64", 0, "sum"),
    )
    columns = ("over_zero", "activation_mean", "activation_square")
    needs_activations = True
    by_document = False

    def recorder(self, layout: "Layout") -> Recorder:
        """Get ready: sums come with each batch."""
        return _ActivationsRecorder()

    def finish(self, totals: "Observation", documents: int, shape: "ModelShape") -> "Observation":
        """Return counts and means."""
        tokens = max(1, _tokens(totals))
        mean, square = (
            {place: (total / tokens).astype(np.float32) for place, total in totals[name].items()}
            for name in ("activation_sum", "activation_square_sum")
        )
        found = zip(self.columns, (totals["over_zero"], mean, square), strict=True)
        return {column: completed(values, shape) for column, values in found}

    def about(self, totals: "Observation", shape: "ModelShape") -> Mapping[str, Any]:
        """Return the number of tokens, and the places that could not be recorded."""
        missing = missing_of(totals["activation_sum"], shape)
        counts = [f"{place}.over_zero" for place in missing_of(totals["over_zero"], shape) if place not in missing]
        told = {"activation_tokens": _tokens(totals)}
        return {**told, "not_recorded": missing + counts} if missing or counts else told


RECORD = Activations()


class _ActivationsRecorder:
    def observe(self, batch: ReadBatch) -> "Iterator[Observation]":
        sums = batch.sums
        assert sums is not None
        for document, tokens in enumerate(sums.tokens):
            yield {
                "over_zero": sums.of("over_zero", document),
                "activation_sum": {**sums.of("sum", document), **sums.of("residual", document)},
                "activation_square_sum": sums.of("square", document),
                "activation_tokens": {CORPUS: np.array([tokens])},
            }


def _tokens(totals: "Observation") -> int:
    return int(totals["activation_tokens"][CORPUS][0])
