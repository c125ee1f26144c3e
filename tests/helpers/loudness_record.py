"""Another record, as small as one can be: the sum and the largest of a neuron's scores."""

from mwork_eval.detection.recording.statistic import Statistic


class Loudness:
    statistics = (Statistic("loudness", "float64", 0, "sum"), Statistic("peak", "float32", 0, "max"))
    columns = ("loudness", "peak")
    needs_activations = by_document = False

    def recorder(self, layout):
        return self

    def observe(self, batch):
        for found in batch.scores:
            yield {"loudness": found, "peak": found}

    def finish(self, totals, documents, shape):
        return {"loudness": {at: one / documents for at, one in totals["loudness"].items()}, "peak": totals["peak"]}

    def about(self, totals, shape):
        return {"loudest": float(max(peak.max() for peak in totals["peak"].values()))}


RECORD = Loudness()
