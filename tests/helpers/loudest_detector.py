"""A second detector, as small as one can be: the neurons of v with the largest mean absolute score, one a layer."""

from itertools import pairwise

import numpy as np

from mwork_eval.detection.detector import Statistic
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.neurons.neuron_set import NeuronSet


class Loudest:
    statistics = (Statistic("loudness", "float64", 0, "sum"), Statistic("peak", "float32", 0, "max"))
    columns = ("loudness", "peak")

    def observer(self, layout, method, memory):
        scorer = Scorer(layout, "exact", memory)

        class Listening:
            def observe(self, documents):
                for found in scorer.score(documents):
                    yield {"loudness": found, "peak": found}

        return Listening()

    def finish(self, totals, documents):
        return {"loudness": {at: one / documents for at, one in totals["loudness"].items()}, "peak": totals["peak"]}

    def select(self, tables, selection):
        assert all(left.shape == right.shape for left, right in pairwise(tables))
        return {
            table.about["language"]: NeuronSet(
                table.shape,
                {(at, name): [int(np.argmax(one))] for (at, name), one in table.loudness.items() if name == "v"},
                table.about,
            )
            for table in tables
        }


DETECTOR = Loudest()
