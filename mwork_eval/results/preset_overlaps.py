"""How many neurons the sets of presets share that have sets of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from mwork_eval.neurons.comparison import overlaps
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.results.manifest import PresetEntry


@dataclass(frozen=True)
class SetOverlap:
    """The Jaccard index of every two presets' sets: shared neurons by all neurons of the two.

    Attributes:
        language: The mask language; None for the mean over those that both presets have.
        jaccard: `jaccard[first][second]`; gate, up and down of a layer count once.
    """

    language: str | None
    jaccard: Mapping[str, Mapping[str, float]]


def overlaps_of_presets(
    folder: Path, presets: Sequence[PresetEntry], languages: Sequence[str]
) -> tuple[SetOverlap, ...]:
    """Return the overlaps on average, if there are several languages, then by language.

    Args:
        folder: The results folder, which keeps the sets; those that it lacks are left out.
        presets: The presets.
        languages: The mask languages, in the order to tell them in.

    Raises:
        InputError: If a set's file is damaged.
    """
    by_language: dict[str, dict[str, NeuronSet]] = {}
    for language, preset in product(languages, presets):
        if (entry := preset.sets.get(language)) is None:
            continue
        if (found := find_recorded_set(folder, language, entry.digest, preset.name)) is not None:
            by_language.setdefault(language, {})[preset.name] = found
    of_languages = [SetOverlap(language, _jaccard(sets)) for language, sets in by_language.items()]
    return (_mean(of_languages), *of_languages) if len(of_languages) > 1 else tuple(of_languages)


def _jaccard(sets: Mapping[str, NeuronSet]) -> dict[str, dict[str, float]]:
    found = overlaps(sets)
    return {one: {other: found[one][other].jaccard or 0.0 for other in sets} for one in sets}


def _mean(overlaps: Sequence[SetOverlap]) -> SetOverlap:
    names = dict.fromkeys(name for one in overlaps for name in one.jaccard)
    return SetOverlap(
        None,
        {
            one: {
                other: sum(known) / len(known)
                for other in names
                if (known := [of.jaccard[one][other] for of in overlaps if {one, other} <= of.jaccard.keys()])
            }
            for one in names
        },
    )
