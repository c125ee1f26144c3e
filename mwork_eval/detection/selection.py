"""Selection: from saved scores to neuron sets, without the model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

import numpy as np

from mwork_eval.detection.score_table import Array, ScoreTable
from mwork_eval.errors import InputError
from mwork_eval.languages import ENGLISH
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES

SPECIFIC = ("english", "common", "none")
"""What is taken away from a language's neurons: English's (default), those all languages share, or nothing.

`common` is what the reference code does; `none` keeps all of the language's neurons.
"""

DEFAULT_FRACTION = 0.005


@dataclass(frozen=True)
class Selection:
    """A rule that says which neurons belong to a language. Exactly one of the first three is set.

    Attributes:
        fraction: The top fraction per layer and structure, by the minimum over documents.
        top_k: The neurons that are among the top k of their layer and structure in every document.
        threshold: Per structure, the ε that the minimum over documents must reach (Eq. 2).
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
            raise InputError("unknown --specific", found=self.specific, expected=" or ".join(SPECIFIC))

    def to_json(self) -> dict[str, Any]:
        """Return the rule as a JSON value, without what is not set."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if value is not None
        }


def select(table: ScoreTable, selection: Selection) -> NeuronSet:
    """Return all neurons of a language by the rule, the highest scores first."""
    rule = _rule(selection)
    indices: dict[tuple[int, str], Array] = {}
    for (layer, structure), minimum in table.minimum.items():
        if structure in selection.structures:
            order = np.argsort(-minimum, kind="stable")
            chosen = rule(structure, minimum, table.worst_rank[layer, structure])
            indices[layer, structure] = order[chosen[order]]
    return NeuronSet(table.shape, indices, {**table.about, "selection": selection.to_json()})


def select_specific(tables: Sequence[ScoreTable], selection: Selection) -> dict[str, NeuronSet]:
    """Return the language-specific set of each language.

    Args:
        tables: Scores of each language; with `specific="english"` one must be English.
        selection: The rule.

    Returns:
        Per language its set. With `specific="english"` English itself has none and is left out.

    Raises:
        InputError: If scores do not belong together, English is missing, or nothing is left of a set.
    """
    check_compatible(tables)
    detected = {table.about["language"]: select(table, selection) for table in tables}
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
                hint="add one, or use --specific none",
            )
        sets = {code: neurons - detected[ENGLISH] for code, neurons in detected.items() if code != ENGLISH}
    of_whom = [ENGLISH] if selection.specific == "english" else sorted(detected)
    corpora = {table.about["language"]: table.about.get("corpus") for table in tables}
    for language, neurons in sets.items():
        if len(neurons) == 0:
            raise InputError(f"no neuron is specific to {language}", hint="select more, for example --fraction 0.02")
        sets[language] = neurons.described(subtracted={code: corpora[code] for code in of_whom if code != language})
    return sets


def check_compatible(tables: Sequence[ScoreTable]) -> None:
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


def _rule(selection: Selection) -> Callable[[str, Array, Array], Array]:
    """Return a function of (structure, minimum, worst rank) to a boolean array."""
    if selection.threshold is not None:
        thresholds = selection.threshold
        return lambda structure, minimum, _: minimum >= thresholds[structure]
    if selection.top_k is not None:
        top_k = selection.top_k
        return lambda structure, minimum, worst: worst < top_k
    fraction = selection.fraction or 0.0
    return lambda structure, minimum, _: top_fraction(minimum, fraction)


def top_fraction(scores: Array, fraction: float) -> Array:
    """Say of each score whether it is among the top fraction, at least one; equal ones count by index."""
    count = max(1, round(fraction * len(scores)))
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores, kind="stable")[:count]] = True
    return chosen
