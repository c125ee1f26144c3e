"""Where the neurons of the sets behind a results folder sit, and what the sets have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from mwork_eval.neurons.comparison import overlaps
from mwork_eval.neurons.missing_structures import lacking_of
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.neurons.structures import STRUCTURES, component_of
from mwork_eval.results.tables import Results

COMPONENTS = {"attn": "Attention", "ffn": "Feed-forward"}
"""Names of the components."""


@dataclass(frozen=True)
class SetCounts:
    """How many neurons the sets hold, and how much they overlap; gate, up and down of a layer count once, as `up`.

    Attributes:
        languages: The languages whose set was found.
        missing: The languages whose set was not.
        structures: Structures that any set has neurons in.
        sizes: Neurons of the model per layer and structure: `sizes[layer][structure]`.
        counts: Neurons of a set: `counts[language][layer][structure]`.
        overlap: Jaccard index of two sets, shared neurons by all neurons of the two, `overlap[first][second]`.
        lacking: Which layers lack structures, a line for each kind of them.
    """

    languages: tuple[str, ...]
    missing: tuple[str, ...]
    structures: tuple[str, ...]
    sizes: Sequence[Mapping[str, int]]
    counts: Mapping[str, Sequence[Mapping[str, int]]]
    overlap: Mapping[str, Mapping[str, float]]
    lacking: tuple[str, ...] = ()

    def layers_with(self, component: str) -> list[int]:
        """Return the layers that have neurons in `attn` or `ffn`."""
        return [n for n, sizes in enumerate(self.sizes) if any(component_of(name) == component for name in sizes)]

    def by_component(self, language: str, component: str) -> list[int]:
        """Return the number of neurons of a set per layer in `attn` or `ffn`."""
        return [
            sum(count for structure, count in layer.items() if component_of(structure) == component)
            for layer in self.counts[language]
        ]

    def shares(self, language: str) -> list[list[float | None]]:
        """Return the share of neurons in a set, in percent, `[structure][layer]`; None where the layer has none."""
        return [
            [
                100 * counted.get(structure, 0) / size if (size := sizes.get(structure, 0)) else None
                for counted, sizes in zip(self.counts[language], self.sizes, strict=True)
            ]
            for structure in self.structures
        ]


def count_recorded(results: Results) -> SetCounts:
    """Find the sets behind a results folder by their digest, and count.

    Raises:
        InputError: If a set's file is damaged.
    """
    described = results.manifest.sets
    languages = [code for code in dict.fromkeys([*results.manifest.languages, *described]) if code in described]
    sets = {
        language: neurons
        for language in languages
        if (neurons := find_recorded_set(results.folder, language, described[language].digest)) is not None
    }
    return count_sets(sets, tuple(language for language in languages if language not in sets))


def count_sets(sets: Mapping[str, NeuronSet], missing: tuple[str, ...] = ()) -> SetCounts:
    """Count the neurons of sets of one model.

    Args:
        sets: The sets by language, or another name.
        missing: Names of sets that were looked for in vain.

    Raises:
        InputError: If the sets are of different models.
    """
    overlap = overlaps(sets)
    counts = {language: _counts(neurons) for language, neurons in sets.items()}
    used = set(chain.from_iterable(layer for layers in counts.values() for layer in layers))
    return SetCounts(
        languages=tuple(sets),
        missing=missing,
        structures=tuple(structure for structure in STRUCTURES if structure in used),
        sizes=next(iter(sets.values())).shape.sizes if sets else (),
        counts=counts,
        overlap={a: {b: overlap[a][b].jaccard or 0.0 for b in sets} for a in sets},
        lacking=lacking_of(sets.values()),
    )


def _counts(neurons: NeuronSet) -> list[dict[str, int]]:
    counts: list[dict[str, int]] = [{} for _ in range(neurons.shape.layers)]
    for layer, structure, members in neurons.switches():
        counts[layer][structure] = len(members)
    return counts
