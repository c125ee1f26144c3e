"""The neuron sets of several detectors from one pass over the corpora: of each as many neurons in every language."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mwork_eval.application.detection import Detection
from mwork_eval.detection.detectors.detector import DETECTORS, arguments_of, find_detector, lacking
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
        arguments: By detector, what it is told; its defaults where nothing is.
    """

    scores: Detection
    languages: tuple[str, ...]
    structures: tuple[str, ...]
    positions: tuple[str, ...]
    stages: Stages
    pivot: str
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

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
        """Return the neurons at the positions of a set of all positions that has just enough of them there.

        Raises:
            InputError: If no set that the detector finds has enough.
        """
        share, low, high = self._share(), count - 1, None
        number, impossible = round(count / share), None
        while high is None or high - low > 1:
            try:
                if number not in known:
                    known[number] = self._select(detector, number)
            except InputError as error:
                if number - low <= 1:
                    raise self._too_few(detector, language, count) from error
                impossible, number = number, (low + number) // 2
                continue
            found = known[number][language].at(self.stages, self.positions)
            if len(found) == count:
                return found
            low, high = (number, high) if len(found) < count else (low, number)
            # Where it should be, if neurons were everywhere alike; at least one step, and inside of what is known.
            number += round((count - len(found)) / share) or (1 if len(found) < count else -1)
            end = min(one for one in (high, impossible, math.inf) if one is not None)
            if not low < number < end:
                number = low + 1 if end == math.inf else (low + int(end)) // 2
            if number == low and high is None:
                raise self._too_few(detector, language, count)
        # The detector's sets jump over the number.
        return known[high][language].at(self.stages, self.positions).strongest(count)

    def _share(self) -> float:
        """Return the share of the structures' neurons that is at the positions.

        Raises:
            InputError: If none is.
        """
        sizes = next(iter(self.scores.tables.values())).shape.sizes
        places = {(n, name): of[name] for n, of in enumerate(sizes) for name in self.structures if name in of}
        there = sum(size for place, size in places.items() if self.stages.position(*place) in self.positions)
        if not there:
            expected = "positions that have some of these structures"
            raise InputError(f"no neuron of {','.join(self.structures)} at the positions", expected=expected)
        return there / sum(places.values())

    def _too_few(self, detector: str, language: str, count: int) -> InputError:
        return InputError(
            f"the detector {detector} finds too few neurons of {language} at {'+'.join(self.positions)}",
            expected=count,
            hint="select fewer, or at more positions",
        )

    def _select(self, detector: str, count: int) -> dict[str, NeuronSet]:
        sets = self.scores.select_by(
            Selection(
                structures=self.structures,
                pivot=self.pivot,
                count=count,
                detector=detector,
                arguments=self.arguments.get(detector, {}),
            )
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


def check_told(detectors: Sequence[str], arguments: Mapping[str, Mapping[str, Any]]) -> None:
    """Check what detectors are told.

    Args:
        detectors: Those compared.
        arguments: By detector, its arguments.

    Raises:
        InputError: If one is not compared, or has no such argument.
    """
    for name, told in arguments.items():
        find_detector(name)
        if name not in detectors:
            raise InputError("arguments of a detector that is not compared", found=name, expected=" ".join(detectors))
        arguments_of(name, told)


def structures_of_all(
    detectors: Sequence[str], asked: Sequence[str] | None, arguments: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return the structures to select from: those asked for, else those that all the detectors are defined for.

    Args:
        detectors: Their names.
        asked: The structures asked for, or None.
        arguments: By detector, what it is told, which may extend it to more structures.

    Raises:
        InputError: If there is none that all are defined for, or a detector is not defined for one asked for.
    """
    if asked is not None:
        for name in detectors:
            Selection(structures=tuple(asked), count=1, detector=name, arguments=arguments.get(name, {}))
        return tuple(asked)
    defined: Mapping[str, tuple[str, ...]] = {name: structures_of(name, arguments.get(name, {})) for name in detectors}
    shared = tuple(name for name in defined[detectors[0]] if all(name in own for own in defined.values()))
    if not shared:
        found = "; ".join(f"{name} {','.join(own)}" for name, own in defined.items())
        raise InputError("the detectors are defined for no structure in common", found=found, hint="name fewer")
    return shared
