"""Where the neurons of the sets behind a results folder sit, and what the sets have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.neurons.structures import STRUCTURES, component_of
from mwork_eval.reports.results import Results
from mwork_eval.resources import neuron_sets_folder

FOLDER = "neurons"
"""Folder inside a results folder that `mwork run` writes its sets to."""


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
    """

    languages: tuple[str, ...]
    missing: tuple[str, ...]
    structures: tuple[str, ...]
    sizes: Sequence[Mapping[str, int]]
    counts: Mapping[str, Sequence[Mapping[str, int]]]
    overlap: Mapping[str, Mapping[str, float]]

    def by_component(self, language: str, component: str) -> list[int]:
        """Return the number of neurons of a set per layer in `attn` or `ffn`."""
        return [
            sum(count for structure, count in layer.items() if component_of(structure) == component)
            for layer in self.counts[language]
        ]


def count_sets(results: Results) -> SetCounts:
    """Find the sets behind a results folder by their digest, and count.

    A set is looked for in the results folder, then among the shipped ones; the manifest does not say where it was.

    Raises:
        InputError: If a set's file is damaged.
    """
    described = results.manifest["sets"]
    languages = [code for code in dict.fromkeys([*results.manifest["languages"], *described]) if code in described]
    sets = {
        language: neurons
        for language in languages
        if (neurons := _find(results.folder, language, described[language]["digest"])) is not None
    }
    members = {language: _members(neurons) for language, neurons in sets.items()}
    counts = {language: _counts(neurons) for language, neurons in sets.items()}
    used = set(chain.from_iterable(layer for layers in counts.values() for layer in layers))
    return SetCounts(
        languages=tuple(sets),
        missing=tuple(language for language in languages if language not in sets),
        structures=tuple(structure for structure in STRUCTURES if structure in used),
        sizes=next(iter(sets.values())).shape.sizes if sets else (),
        counts=counts,
        overlap={a: {b: _jaccard(members[a], members[b]) for b in members} for a in members},
    )


def _find(folder: Path, language: str, digest: str) -> NeuronSet | None:
    name = f"{language}{SUFFIX}"
    for path in (folder / FOLDER / name, *sorted(neuron_sets_folder().glob(f"*/{name}"))):
        if path.is_file() and (neurons := load_neuron_set(path)).digest == digest:
            return neurons
    return None


def _members(neurons: NeuronSet) -> set[tuple[int, str, int]]:
    return {(layer, structure, k) for layer, structure, members in neurons.switches() for k in members}


def _counts(neurons: NeuronSet) -> list[dict[str, int]]:
    counts: list[dict[str, int]] = [{} for _ in range(neurons.shape.layers)]
    for layer, structure, members in neurons.switches():
        counts[layer][structure] = len(members)
    return counts


def _jaccard(first: set[tuple[int, str, int]], second: set[tuple[int, str, int]]) -> float:
    return len(first & second) / len(first | second) if first | second else 0.0
