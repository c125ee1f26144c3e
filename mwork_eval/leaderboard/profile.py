"""Where the neurons of a model's languages sit, by the sets of its newest results folder that has some."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mwork_eval.errors import InputError
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.set_counts import SetCounts, count_sets
from mwork_eval.results.summaries.entries import ModelFacts


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
        faults: What could not be read, and why.
    """

    profile: NeuronProfile | None
    faults: tuple[str, ...] = ()


def read_profile(facts: Sequence[ModelFacts]) -> ReadProfile:
    """Read the neuron sets of the first folder that has any.

    Args:
        facts: What folders say of one model, the newest first.
    """
    faults: list[str] = []
    for one in facts:
        try:
            if (profile := _profile_of(one)) is not None:
                return ReadProfile(profile, tuple(faults))
        except (InputError, OSError) as error:
            faults.append(str(error))
    return ReadProfile(None, tuple(faults))


def told_of(facts: Iterable[ModelFacts], name: str) -> object:
    """Return the newest value that is told of `parameters` or `engine`; None if none is."""
    return next((value for one in facts if (value := getattr(one, name)) is not None), None)


def _profile_of(facts: ModelFacts) -> NeuronProfile | None:
    manifest = facts.manifest
    if manifest is None or not manifest.sets:
        return None
    described = manifest.sets
    languages = [code for code in dict.fromkeys([*manifest.languages, *described]) if code in described]
    sets = {
        language: neurons
        for language in languages
        if (neurons := find_recorded_set(facts.place, language, described[language].digest)) is not None
    }
    if not sets:
        return None
    missing = tuple(language for language in languages if language not in sets)
    return NeuronProfile(next(iter(sets.values())).shape.family, count_sets(sets, missing), manifest.stages)
