"""Which neurons of a set a query calls up (Figure 3 of the paper): those with the highest scores in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.detection.selection import DEFAULT_FRACTION, top_fraction
from mwork_eval.files.tensor_file import Array
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.structures import component_of

COMPONENTS = ("attn", "ffn")


@dataclass(frozen=True)
class Activity:
    """The active neurons of one set in the queries of one language.

    Attributes:
        neurons: Name of the set.
        language: Language of the queries.
        counts: Per query, layer and component (`attn`, `ffn`), the number of active neurons `[queries, layers, 2]`.
        size: Number of neurons of the set.
    """

    neurons: str
    language: str
    counts: Array
    size: int

    def per_layer(self, component: str) -> Array:
        """Return the active neurons of a component `[queries, layers]`."""
        found: Array = self.counts[:, :, COMPONENTS.index(component)]
        return found

    @property
    def shares(self) -> Array:
        """The share of the set that is active, per query `[queries]`."""
        found: Array = self.counts.sum((1, 2)) / max(1, self.size)
        return found


def count_active(neurons: NeuronSet, scores: Mapping[Place, Array], fraction: float) -> Array:
    """Count the neurons of a set that are among the top fraction of their layer and structure in one query.

    Args:
        neurons: The set; gate, up and down of a layer are one switch.
        scores: The query's scores, per layer and structure `[neurons]`.
        fraction: The fraction, as in selection.

    Returns:
        `[layers, 2]`, attention and feed-forward.
    """
    counts = np.zeros((neurons.shape.layers, len(COMPONENTS)), int)
    for layer, structure, members in neurons.switches():
        active = top_fraction(scores[layer, structure], fraction)
        counts[layer, COMPONENTS.index(component_of(structure))] += int(active[list(members)].sum())
    return counts


def observe(
    scorer: Scorer,
    sets: Mapping[str, NeuronSet],
    queries: Mapping[str, Sequence[Sequence[int]]],
    *,
    advance: Callable[[str, int], Any] = lambda language, queries: None,
) -> list[Activity]:
    """Score queries one by one, and count the active neurons of every set in each.

    A neuron is active in a query if it is among the top fraction of its layer and structure there: the rule that
    selected the set (its own fraction, else the default one), applied to one text.

    Args:
        scorer: Scores documents.
        sets: The sets by name.
        queries: Per language, the token ids of each query.
        advance: Called after each query with its language and 1.
    """
    fractions = {
        name: (neurons.about.get("selection") or {}).get("fraction") or DEFAULT_FRACTION
        for name, neurons in sets.items()
    }
    found = []
    for language, of_language in queries.items():
        counts: dict[str, list[Array]] = {name: [] for name in sets}
        for tokens in of_language:
            (scores,) = scorer.score([list(tokens)])
            for name, neurons in sets.items():
                counts[name].append(count_active(neurons, scores, fractions[name]))
            advance(language, 1)
        found += [Activity(name, language, np.stack(counts[name]), len(sets[name])) for name in sets]
    return found
