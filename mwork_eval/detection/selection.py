"""Selection: from saved scores to neuron sets, without the model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mwork_eval.detection.detector import find_detector
from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES, parse_structures

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.files.tensor_file import Array

SPECIFIC = ("english", "common", "none")
"""What is taken away from a language's neurons: English's (default), those all languages share, or nothing.

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
        specific: What is taken away; one of `SPECIFIC`.
        structures: The structures to select from.
    """

    fraction: float | None = None
    top_k: int | None = None
    threshold: Mapping[str, float] | None = None
    specific: str = "english"
    structures: tuple[str, ...] = DEFAULT_STRUCTURES

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

    @classmethod
    def of(
        cls,
        fraction: float | None = None,
        top_k: int | None = None,
        threshold: Mapping[str, float] | None = None,
        specific: str = "english",
        structures: str = "q,k,v,up",
    ) -> "Selection":
        """Make a rule from what a user gave: the default fraction if no rule is.

        Args:
            fraction: As the attribute; so are the next ones.
            top_k: At most one of these three.
            threshold: By structure.
            specific: What is taken away.
            structures: Names joined by commas.

        Raises:
            InputError: If they make no rule.
        """
        if fraction is None and top_k is None and threshold is None:
            fraction = DEFAULT_FRACTION
        return cls(fraction, top_k, threshold, specific, parse_structures(structures))

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
        tables: Scores of each language; with `specific="english"` one must be English.
        selection: The rule.

    Returns:
        Per language its set, which knows as `shared` the language's neurons that were taken away. With
        `specific="english"` English itself has none and is left out.

    Raises:
        InputError: If scores do not belong together, English is missing, or nothing is left of a set.
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
        InputError: If English is missing, or nothing is left of a set.
    """
    # Nothing is taken away yet; what the algebra below takes becomes shared.
    detected = {language: replace(neurons, shared={}) for language, neurons in found.items()}
    if selection.specific == "none":
        if empty := [language for language, neurons in detected.items() if len(neurons) == 0]:
            raise InputError("nothing selected", found=f"no neuron of {' '.join(empty)}", hint="relax the rule")
        return detected
    if selection.specific == "common":
        common = reduce(lambda left, right: left & right, detected.values())
        sets = {language: neurons - common for language, neurons in detected.items()}
    else:
        if ENGLISH not in detected:
            raise InputError(
                "language-specific neurons are those that English lacks, and English was not scored",
                found=" ".join(detected),
                expected="a corpus for en",
                hint="add one, or use `specific='none'`",
            )
        sets = {code: neurons - detected[ENGLISH] for code, neurons in detected.items() if code != ENGLISH}
    of_whom = [ENGLISH] if selection.specific == "english" else sorted(detected)
    corpora = {table.about["language"]: table.about.get("corpus") for table in tables}
    for language, neurons in sets.items():
        if len(neurons) == 0:
            raise InputError(f"no neuron is specific to {language}", hint="select more, for example `fraction=0.02`")
        sets[language] = neurons.described(subtracted={code: corpora[code] for code in of_whom if code != language})
    return sets


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
