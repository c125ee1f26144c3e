"""Selection: from saved scores to neuron sets, without the model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mwork_eval.detection.detectors.detector import PLND, arguments_of, find_detector, lacking
from mwork_eval.detection.recording.registry import RECORDS
from mwork_eval.detection.set_activations import activations_of
from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH, check_language
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES, STRUCTURES, parse_structures

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.files.tensor_file import Array

SPECIFIC = ("pivot", "english", "common", "none")
"""What is taken away from a language's neurons: the pivot's (default), those all languages share, or nothing.

`english` is the pivot English; files call it so.
`common` is what the reference code does; `none` keeps all of the language's neurons.
"""

DEFAULT_FRACTION = 0.01
"""Gives about 0.15 % of a model's neurons as language-specific (docs/decisions/0011-ranks.md)."""


@dataclass(frozen=True)
class Selection:
    """A rule that says which neurons belong to a language. Exactly one of the first three or `count` is set.

    Attributes:
        fraction: The neurons that are in this top fraction of their layer and structure in every document; for other
            detectors than PLND, this fraction of the neurons of the structures.
        top_k: The neurons that are among the top k of their layer and structure in every document.
        threshold: Per structure, the ε that the score, a sum over tokens, must reach in every document (Eq. 2).
        specific: What is taken away; one of `SPECIFIC`. A rule that takes away English's neurons says `english`.
        structures: The structures to select from.
        pivot: Whose neurons `pivot` takes away, or whom a detector compares with; None where that is English or nobody.
        count: As many neurons of each language, those the detector puts first.
        detector: One of `DETECTORS`.
        arguments: What the detector is told, by name; its defaults where nothing is.
    """

    fraction: float | None = None
    top_k: int | None = None
    threshold: Mapping[str, float] | None = None
    specific: str = "pivot"
    structures: tuple[str, ...] = DEFAULT_STRUCTURES
    pivot: str | None = None
    count: int | None = None
    detector: str = PLND
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = [name for name in ("fraction", "top_k", "threshold", "count") if getattr(self, name) is not None]
        if len(rules) != 1:
            raise InputError(
                "a selection needs one rule", found=len(rules), expected="a fraction, a top-k, thresholds or a count"
            )
        self._check_detector(rules[0])
        if self.count is not None and self.count < 1:
            raise InputError("unusable count of neurons", found=self.count, expected="at least 1")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise InputError("unusable fraction", found=self.fraction, expected="more than 0 and at most 1")
        if self.top_k is not None and self.top_k < 1:
            raise InputError("unusable top-k", found=self.top_k, expected="at least 1")
        if self.threshold is not None and set(self.structures) - set(self.threshold):
            missing = ",".join(sorted(set(self.structures) - set(self.threshold)))
            raise InputError("a threshold per structure is needed", found=f"none for {missing}")
        if self.specific not in SPECIFIC:
            raise InputError("unknown specific", found=self.specific, expected=" or ".join(SPECIFIC))
        # One rule has one form, so that files of equal rules are equal, and those of earlier versions among them.
        pivot = ENGLISH if self.pivot is None else check_language(self.pivot)
        if self.detector != PLND:
            object.__setattr__(self, "pivot", None if pivot == ENGLISH else pivot)
            return
        if self.specific == "english" and pivot != ENGLISH:
            raise InputError(
                "`specific='english'` takes away the neurons of English, and another pivot is given",
                found=f"`pivot={pivot}`",
                expected="`specific='pivot'`",
            )
        if self.specific == "pivot" and pivot == ENGLISH:
            object.__setattr__(self, "specific", "english")
        object.__setattr__(self, "pivot", pivot if self.specific == "pivot" else None)

    def _check_detector(self, rule: str) -> None:
        detector, arguments = find_detector(self.detector), arguments_of(self.detector, self.arguments)
        if rule not in detector.rules:
            raise InputError(
                f"the detector {self.detector} has no such rule", found=rule, expected=" or ".join(detector.rules)
            )
        if self.detector == PLND:
            return
        if self.specific != "pivot":
            raise InputError(
                f"the detector {self.detector} takes away no other language's neurons",
                found=f"specific={self.specific}",
            )
        extended = detector.attention if getattr(arguments, "attention", False) else ()
        if unknown := set(self.structures) - {*detector.structures, *extended}:
            raise InputError(
                f"the detector {self.detector} is not defined for {','.join(sorted(unknown))}",
                expected=",".join((*detector.structures, *extended)),
                hint=f"its argument attention=true extends it to {','.join(detector.attention)}"
                if detector.attention and not extended
                else None,
            )

    @property
    def subtracted(self) -> str | None:
        """The language whose neurons are taken away; None if that is no single one's."""
        if self.detector != PLND:
            return None
        return ENGLISH if self.specific == "english" else self.pivot

    @classmethod
    def of(
        cls,
        fraction: float | None = None,
        top_k: int | None = None,
        threshold: Mapping[str, float] | None = None,
        specific: str = "pivot",
        structures: str | None = None,
        pivot: str = ENGLISH,
        count: int | None = None,
        detector: str = PLND,
        arguments: Mapping[str, Any] | None = None,
    ) -> "Selection":
        """Make a rule from what a user gave: the default fraction if no rule is.

        Args:
            fraction: As the attribute; so are the next ones.
            top_k: At most one of these three.
            threshold: By structure.
            specific: What is taken away.
            structures: Names joined by commas; those that the detector is defined for if not given.
            pivot: Whose neurons `pivot` takes away.
            count: As the attribute; so are the next ones.
            detector: See there.
            arguments: See there.

        Raises:
            InputError: If they make no rule.
        """
        if fraction is None and top_k is None and threshold is None and count is None:
            fraction = DEFAULT_FRACTION
        given = arguments or {}
        names = structures_of(detector, given) if structures is None else parse_structures(structures)
        return cls(fraction, top_k, threshold, specific, names, pivot, count, detector, given)

    def to_json(self) -> dict[str, Any]:
        """Return the rule as a JSON value, without what is not set; `by` says which statistic PLND looks at."""
        rule = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if value is not None
        }
        if self.detector != PLND:
            del rule["specific"]
            return {**rule, "arguments": arguments_of(self.detector, self.arguments).model_dump()}
        del rule["detector"], rule["arguments"]
        return {**rule, "by": "minimum" if self.threshold is not None else "worst_rank"}


def structures_of(detector: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the structures that a detector is defined for, told some arguments.

    Raises:
        InputError: If there is no such detector or argument.
    """
    found = find_detector(detector)
    extended = found.attention if getattr(arguments_of(detector, arguments), "attention", False) else ()
    return tuple(name for name in STRUCTURES if name in {*found.structures, *extended})


def select_specific(
    tables: "Sequence[ScoreTable]", selection: Selection, *, activations: bool = False
) -> dict[str, NeuronSet]:
    """Return the language-specific set of each language, as the rule's detector selects them.

    Args:
        tables: Scores of each language; the one whose neurons are taken away must be among them.
        selection: The rule.
        activations: Whether sets know the typical activations of all neurons in each language.

    Returns:
        Per language its set, which knows as `shared` the language's neurons that were taken away. A language whose
        neurons are taken away from the others has none and is left out.

    Raises:
        InputError: If scores do not belong together or lack a record that the detector needs, the pivot is missing, or
            nothing is left of a set.
    """
    check_compatible(tables)
    check_recorded(tables, selection.detector)
    known = activations_of(tables) if activations else {}
    sets = find_detector(selection.detector).select(tables, selection)
    return {code: replace(neurons, activations=known) for code, neurons in sets.items()} if activations else sets


def check_recorded(tables: "Sequence[ScoreTable]", detector: str) -> None:
    """Check that scores have what a detector reads.

    Raises:
        InputError: If a record is missing; names it.
    """
    if missing := lacking(detector, tables):
        raise InputError(
            f"the detector {detector} needs a record that the scores lack",
            found=" ".join(tables[0].about.get("recorded", ())) or "PLND's scores alone",
            expected=" ".join(missing),
            hint=f"detect again with `record={','.join(missing)}`",
        )


def check_scored(languages: Iterable[str], selection: Selection) -> None:
    """Check that the language whose neurons a rule takes away is among those that were scored, or will be.

    Raises:
        InputError: If it is not.
    """
    pivot, found = selection.subtracted, list(languages)
    if pivot is not None and pivot not in found:
        name = Pivot(pivot).name
        raise InputError(
            f"language-specific neurons are those that {name} lacks, and {name} was not scored",
            found=" ".join(found),
            expected=f"a corpus for {pivot}",
            hint="add one, or use `specific='none'`",
        )


def check_compatible(tables: "Sequence[ScoreTable]") -> None:
    """Check that score tables come from one model and one method, so that their sets may be combined.

    Raises:
        InputError: If they do not; names the two that differ.
    """
    first = tables[0].about
    for other in (table.about for table in tables[1:]):
        for key, what in (("fingerprint", "models"), ("method", "methods")):
            if other[key] != first[key]:
                raise InputError(
                    f"scores of different {what} cannot be combined",
                    found=f"{first['language']} {first[key]} and {other['language']} {other[key]}",
                )


def top_count(fraction: float, size: int) -> int:
    """Return how many of ``size`` neurons the top fraction is, at least one."""
    return max(1, round(fraction * size))


def top_fraction(scores: "Array", fraction: float) -> "Array":
    """Say of each score whether it is among the top fraction, at least one; equal ones count by index."""
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores, kind="stable")[: top_count(fraction, len(scores))]] = True
    return chosen


def needed_records(selection: Selection, *, activations: bool = False, asked: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the records that selecting by a rule reads, and those asked for, in their order.

    Args:
        selection: The rule.
        activations: Whether sets are to know activations.
        asked: What was asked for.
    """
    needs = {*asked, *find_detector(selection.detector).needs, *(("activations",) if activations else ())}
    return tuple(name for name in RECORDS if name in needs)
