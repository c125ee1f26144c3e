"""Presets with neuron sets of their own, such as those of one detector; all other presets share the matrix's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mwork_eval.neurons.neuron_set import NeuronSet


@dataclass(frozen=True)
class OwnSets:
    """The neuron sets of one preset.

    Attributes:
        sets: By mask language, those of its table.
        by_count: By number of neurons, the sets by mask language that have so many.
        cost: What recording takes that they were selected from, in words; may be empty.
    """

    sets: Mapping[str, NeuronSet]
    by_count: Mapping[int, Mapping[str, NeuronSet]] = field(default_factory=dict)
    cost: str = ""


def every_set(shared: Mapping[str, NeuronSet], own: Mapping[str, OwnSets]) -> list[NeuronSet]:
    """Return all sets of a matrix: those that presets share, and those of single ones.

    Args:
        shared: By mask language, the sets that presets share.
        own: By preset, its own.
    """
    found = list(shared.values())
    for of_preset in own.values():
        found += of_preset.sets.values()
        found += [neurons for of_count in of_preset.by_count.values() for neurons in of_count.values()]
    return found
