"""What the folders of a model hold beside scores: where the neurons of its languages sit, and its lens."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.neurons.stages import Stages
from mwork_eval.reports.html.lens import lens_parts
from mwork_eval.results.set_counts import SetCounts, count_sets
from mwork_eval.results.summaries.entries import FolderFacts

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class NeuronProfile:
    """Where neurons sit.

    Attributes:
        family: Family of the model.
        counts: Neurons by language, layer and structure.
        stages: Where understanding ends and generation begins.
    """

    family: str
    counts: SetCounts
    stages: Stages

    def by_layer(self) -> dict[str, list[int]]:
        """Return the number of neurons per layer, by language."""
        return {language: [sum(layer.values()) for layer in layers] for language, layers in self.counts.counts.items()}


@dataclass(frozen=True)
class ReadProfile:
    """What was found of a model's neurons.

    Attributes:
        profile: Where they sit, or None if no folder has sets.
        lenses: What `lens.html` shows of the language of the layers; empty if no folder has a lens.
        faults: What could not be read, and why.
    """

    profile: NeuronProfile | None
    lenses: Sequence[Mapping[str, Any]] = ()
    faults: tuple[str, ...] = ()


def read_profile(facts: Sequence[FolderFacts]) -> ReadProfile:
    """Read the neuron sets of the first folder that has any, and likewise the lens.

    Args:
        facts: What folders say of one model, the newest first.
    """
    faults: list[str] = []
    profile = _first(facts, lambda one: _profile_of(one, faults), faults)
    lenses = _first(facts, lambda one: lens_parts(one.place), faults)
    return ReadProfile(profile, lenses or (), tuple(faults))


def _first(facts: Sequence[FolderFacts], read: Callable[[FolderFacts], _Found], faults: list[str]) -> _Found | None:
    """Return what the first folder that has any holds; add to the faults what cannot be read on the way."""
    for one in facts:
        try:
            if found := read(one):
                return found
        except (InputError, OSError) as error:
            faults.append(_said(error, one))
    return None


def _said(error: Exception, facts: FolderFacts) -> str:
    return str(error).replace(str(facts.place), facts.place.name)


def told_of(facts: Iterable[FolderFacts], name: str) -> object:
    """Return the newest value that is told of `parameters` or `engine`; None if none is."""
    return next((value for one in facts if (value := getattr(one, name)) is not None), None)


def _profile_of(facts: FolderFacts, faults: list[str]) -> NeuronProfile | None:
    manifest = facts.manifest
    if manifest is None or not manifest.sets:
        return None
    described = manifest.sets
    languages = [code for code in dict.fromkeys([*manifest.languages, *described]) if code in described]
    sets: dict[str, NeuronSet] = {}
    for language in languages:
        try:
            found = find_recorded_set(facts.place, language, described[language].digest)
        except (InputError, OSError) as error:
            faults.append(_said(error, facts))  # those of other languages are shown all the same
        else:
            sets |= {} if found is None else {language: found}
    if not sets:
        return None
    missing = tuple(language for language in languages if language not in sets)
    return NeuronProfile(next(iter(sets.values())).shape.family, count_sets(sets, missing), manifest.stages)
