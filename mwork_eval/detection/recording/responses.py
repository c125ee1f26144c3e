"""The record of responses: a neuron's mean activation in every document, for detectors that compare documents."""

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


class Responses:
    """Keeps a row for each document.

    A table's `responses` are the means of activations over a document's tokens, float32 `[documents, neurons]`, in the
    order of the corpus.
    """

    statistics = (
        Statistic("responses", "float32", 0, "rows"),
        Statistic("document_numbers", "int64", 0, "rows"),
    )
    columns = ("responses",)
    needs_activations = True
    by_document = True

    def recorder(self, layout: "Layout") -> Recorder:
        """Get ready: sums come with each batch."""
        return _ResponsesRecorder()

    def finish(self, totals: "Observation", documents: int, shape: "ModelShape") -> "Observation":
        """Return the rows in the order of the corpus: batches come by length, and shards apart."""
        order = np.argsort(totals["document_numbers"][CORPUS][:, 0], kind="stable")
        rows = {place: found[order] for place, found in totals["responses"].items()}
        return {"responses": completed(rows, shape, documents)}

    def about(self, totals: "Observation", shape: "ModelShape") -> Mapping[str, Any]:
        """Return the places that could not be recorded."""
        missing = missing_of(totals["responses"], shape)
        return {"not_recorded": missing} if missing else {}


RECORD = Responses()


class _ResponsesRecorder:
    def observe(self, batch: ReadBatch) -> "Iterator[Observation]":
        sums = batch.sums
        assert sums is not None
        for document, number in enumerate(batch.numbers):
            tokens = np.float32(max(1, sums.tokens[document]))
            yield {
                "responses": {place: (total / tokens)[None] for place, total in sums.of("sum", document).items()},
                "document_numbers": {CORPUS: np.array([[number]])},
            }
