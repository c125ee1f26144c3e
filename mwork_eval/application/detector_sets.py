"""The neuron sets of several detectors from one pass over the corpora: of each as many neurons in every language."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mwork_eval.application.detection import Detection
from mwork_eval.detection.detectors.detector import DETECTORS, find_detector, lacking
from mwork_eval.detection.selection import Selection, check_recorded, structures_of
from mwork_eval.errors import InputError
from mwork_eval.matrix.own_sets import OwnSets
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import POSITIONS, Stages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorSets:
    """Selects the sets of detectors, all by the same rule.

    Attributes:
        scores: What one pass recorded, of the languages compared and no others.
        languages: The mask languages.
        structures: The structures selected from.
        positions: The positions of the neurons.
        stages: Where these lie.
        pivot: The language that the others are compared with.
    """

    scores: Detection
    languages: tuple[str, ...]
    structures: tuple[str, ...]
    positions: tuple[str, ...]
    stages: Stages
    pivot: str

    def of(self, detector: str, count: int, counts: Sequence[int]) -> OwnSets:
        """Return the sets of a detector, each of the neurons that it puts first.

        Args:
            detector: Its name.
            count: Number of neurons of a language.
            counts: Further numbers.

        Raises:
            InputError: If it finds too few of a language.
        """
        by_count = {number: self._of_count(detector, number) for number in {count, *counts}}
        return OwnSets(by_count[count], {number: by_count[number] for number in counts}, find_detector(detector).cost)

    def _of_count(self, detector: str, count: int) -> dict[str, NeuronSet]:
        if self.positions == POSITIONS:
            return self._select(detector, count)
        known: dict[int, dict[str, NeuronSet]] = {}
        return {language: self._at_positions(detector, language, count, known) for language in self.languages}

    def _at_positions(
        self, detector: str, language: str, count: int, known: dict[int, dict[str, NeuronSet]]
    ) -> NeuronSet:
        """Return the neurons at the positions of the smallest set of all positions that has enough of them there."""

        def found(number: int) -> NeuronSet:
            if number not in known:
                known[number] = self._select(detector, number)
            return known[number][language].at(self.stages, self.positions)

        low, high = count - 1, count
        while len(found(high)) < count:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if len(found(middle)) < count else (low, middle)
        return found(high).strongest(count)

    def _select(self, detector: str, count: int) -> dict[str, NeuronSet]:
        sets = self.scores.select_by(
            Selection(structures=self.structures, pivot=self.pivot, count=count, detector=detector)
        )
        if missing := [language for language in self.languages if language not in sets]:
            raise InputError(f"the detector {detector} finds no neurons of a language", found=" ".join(missing))
        return {language: sets[language] for language in self.languages}


def choose_detectors(scores: Detection, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the detectors to compare: those asked for, else all that the records allow.

    Raises:
        InputError: If one is unknown, or needs a record that the scores lack.
    """
    tables = list(scores.tables.values())
    if asked is not None:
        if not asked:
            raise InputError("no detector to compare", found="none", expected=f"some of {' '.join(DETECTORS)}")
        for name in asked:
            find_detector(name)
            check_recorded(tables, name)
        return tuple(asked)
    missing = {name: lacking(name, tables) for name in DETECTORS}
    left_out = [f"{name} (needs {' '.join(needs)})" for name, needs in missing.items() if needs]
    if left_out:
        needed = dict.fromkeys(need for needs in missing.values() for need in needs)
        log.warning(
            "detectors left out, as the scores lack what they need: %s; `mwork detect --record %s` records it",
            ", ".join(left_out),
            ",".join(needed),
        )
    return tuple(name for name, needs in missing.items() if not needs)


def structures_of_all(detectors: Sequence[str], asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the structures to select from: those asked for, else those that all the detectors are defined for.

    Raises:
        InputError: If there is none that all are defined for, or a detector is not defined for one asked for.
    """
    if asked is not None:
        for name in detectors:
            Selection(structures=tuple(asked), count=1, detector=name)
        return tuple(asked)
    defined: Mapping[str, tuple[str, ...]] = {name: structures_of(name, {}) for name in detectors}
    shared = tuple(name for name in defined[detectors[0]] if all(name in own for own in defined.values()))
    if not shared:
        found = "; ".join(f"{name} {','.join(own)}" for name, own in defined.items())
        raise InputError("the detectors are defined for no structure in common", found=found, hint="name fewer")
    return shared
