"""Parallel language-specific neuron detection (PLND, arXiv:2402.18815): how much does zeroing a neuron change?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mwork_eval.detection.selection import Selection, specific_sets, top_count
from mwork_eval.neurons.neuron_set import NeuronSet, Place

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.files.tensor_file import Array


class Plnd:
    """Takes neurons that are strong in every document."""

    def select(self, tables: "Sequence[ScoreTable]", selection: Selection) -> dict[str, NeuronSet]:
        """Select each language's neurons by the rule, and take away what the rule says."""
        return specific_sets(tables, {table.about["language"]: select(table, selection) for table in tables}, selection)


DETECTOR = Plnd()


def select(table: "ScoreTable", selection: Selection) -> NeuronSet:
    """Return all neurons of a language by the rule, the strongest first.

    By threshold these have the highest minima over documents; by fraction or top k the best worst ranks, and where
    those are equal the highest means.
    """
    indices: dict[Place, Array] = {}
    for place, minimum in table.minimum.items():
        if place[1] not in selection.structures:
            continue
        worst_rank, mean = table.worst_rank[place], table.mean[place]
        if selection.threshold is not None:
            chosen, order = minimum >= selection.threshold[place[1]], np.argsort(-minimum, kind="stable")
        else:
            top = selection.top_k or top_count(selection.fraction or 0.0, len(minimum))
            chosen, order = worst_rank < top, np.lexsort((-mean, worst_rank))
        indices[place] = order[chosen[order]]
    return NeuronSet(table.shape, indices, {**table.about, "selection": selection.to_json()})
