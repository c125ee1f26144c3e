"""Selection: from saved scores to neuron sets, without the model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mwork_eval.detection.detector import find_detector
from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH, check_language
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES, parse_structures

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
    """A rule that says which neurons belong to a language. Exactly one of the first three is set.

    Attributes:
        fraction: The neurons that are in this top fraction of their layer and structure in every document.
        top_k: The neurons that are among the top k of their layer and structure in every document.
        threshold: Per structure, the ε that the score, a sum over tokens, must reach in every document (Eq. 2).
        specific: What is taken away; one of `SPECIFIC`. A rule that takes away English's neurons says `english`.
        structures: The structures to select from.
        pivot: Whose neurons `pivot` takes away; None where that is English or nobody's.
    """

    fraction: float | None = None
    top_k: int | None = None
    threshold: Mapping[str, float] | None = None
    specific: str = "pivot"
    structures: tuple[str, ...] = DEFAULT_STRUCTURES
    pivot: str | None = None

    def __post_init__(self) -> None:
        rules = [rule for rule in (self.fraction, self.top_k, self.threshold) if rule is not None]
        if len(rules) != 1:
            raise InputError(
                "a selection needs one rule", found=len(rules), expected="a fraction, a top-k or thresholds"
            )
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
        if self.specific == "english" and pivot != ENGLISH:
            raise InputError(
                "`specific='english'` takes away the neurons of English, and another pivot is given",
                found=f"`pivot={pivot}`",
                expected="`specific='pivot'`",
            )
        if self.specific == "pivot" and pivot == ENGLISH:
            object.__setattr__(self, "specific", "english")
        object.__setattr__(self, "pivot", pivot if self.specific == "pivot" else None)

    @property
    def subtracted(self) -> str | None:
        """The language whose neurons are taken away; None if that is no single one's."""
        return ENGLISH if self.specific == "english" else self.pivot

    @classmethod
    def of(
        cls,
        fraction: float | None = None,
        top_k: int | None = None,
        threshold: Mapping[str, float] | None = None,
        specific: str = "pivot",
        structures: str = "q,k,v,up",
        pivot: str = ENGLISH,
    ) -> "Selection":
        """Make a rule from what a user gave: the default fraction if no rule is.

        Args:
            fraction: As the attribute; so are the next ones.
            top_k: At most one of these three.
            threshold: By structure.
            specific: What is taken away.
            structures: Names joined by commas.
            pivot: Whose neurons `pivot` takes away.

        Raises:
            InputError: If they make no rule.
        """
        if fraction is None and top_k is None and threshold is None:
            fraction = DEFAULT_FRACTION
        return cls(fraction, top_k, threshold, specific, parse_structures(structures), pivot)

    def to_json(self) -> dict[str, Any]:
        """Return the rule as a JSON value, without what is not set; `by` says which statistic it looks at."""
        rule = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if value is not None
        }
        return {**rule, "by": "minimum" if self.threshold is not None else "worst_rank"}


def select_specific(tables: "Sequence[ScoreTable]", selection: Selection) -> dict[str, NeuronSet]:
    """Return the language-specific set of each language, as the detector that made the tables selects them.

    Args:
        tables: Scores of each language; the one whose neurons are taken away must be among them.
        selection: The rule.

    Returns:
        Per language its set, which knows as `shared` the language's neurons that were taken away. A language whose
        neurons are taken away from the others has none and is left out.

    Raises:
        InputError: If scores do not belong together, the pivot is missing, or nothing is left of a set.
    """
    check_compatible(tables)
    return find_detector(tables[0].about["method"]).select(tables, selection)


def specific_sets(
    tables: "Sequence[ScoreTable]", found: Mapping[str, NeuronSet], selection: Selection
) -> dict[str, NeuronSet]:
    """Take away from each language's neurons what a rule says, for detectors that look at one language at a time.

    Args:
        tables: Scores of each language.
        found: All neurons of each language.
        selection: The rule.

    Returns:
        As `select_specific`.

    Raises:
        InputError: If the pivot is missing, or nothing is left of a set.
    """
    # Nothing is taken away yet; what the algebra below takes becomes shared.
    detected = {language: replace(neurons, shared={}) for language, neurons in found.items()}
    if selection.specific == "none":
        if empty := [language for language, neurons in detected.items() if len(neurons) == 0]:
            raise InputError("nothing selected", found=f"no neuron of {' '.join(empty)}", hint="relax the rule")
        return detected
    pivot = selection.subtracted
    if pivot is None:
        common = reduce(lambda left, right: left & right, detected.values())
        sets = {language: neurons - common for language, neurons in detected.items()}
    else:
        check_scored(detected, selection)
        sets = {code: neurons - detected[pivot] for code, neurons in detected.items() if code != pivot}
    of_whom = sorted(detected) if pivot is None else [pivot]
    corpora = {table.about["language"]: table.about.get("corpus") for table in tables}
    for language, neurons in sets.items():
        if len(neurons) == 0:
            raise InputError(f"no neuron is specific to {language}", hint="select more, for example `fraction=0.02`")
        sets[language] = neurons.described(subtracted={code: corpora[code] for code in of_whom if code != language})
    return sets


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
