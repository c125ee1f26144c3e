"""Sets that other documents would have given: selected from random halves of the corpora."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mwork_eval.detection.partial import PartialScores
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet

GROUPS = 16
"""Groups of documents whose scores are kept apart; a half is eight of them."""
LEAST_DOCUMENTS = 2 * GROUPS // 4
"""With fewer documents a half is too little to select from."""


def group_of_draw(number: int) -> str:
    """Return the group that document ``number`` of a corpus is kept in."""
    return f"{number % GROUPS:02d}"


def draw_sets(parts: Mapping[str, PartialScores], selection: Selection, draws: int) -> list[dict[str, NeuronSet]]:
    """Select the sets of random halves of the documents, the same rule as for all of them.

    What varies between random halves, drawn without replacement, is what the whole corpus would vary by if it were
    drawn anew: the delete-half jackknife estimates the variance of a statistic of all documents by the mean squared
    difference of the halves' (Shao and Wu 1989, Annals of Statistics 17). Every language is halved anew.

    Args:
        parts: Scores by language, in the groups of `group_of_draw`.
        selection: The rule.
        draws: How many times.

    Returns:
        Per draw, the sets by language; each says its draw and its documents in `about["set_draw"]`.

    Raises:
        InputError: If a language has too few documents to halve, or a half selects nothing.
    """
    for language, part in parts.items():
        if part.documents < LEAST_DOCUMENTS:
            raise InputError(
                f"too few documents of {language} to draw halves of them",
                found=part.documents,
                expected=f"at least {LEAST_DOCUMENTS}",
                hint="raise `max_docs`, or leave out `set_draws`",
            )
    found = []
    for draw in range(1, draws + 1):
        tables, about = [], dict[str, dict[str, Any]]()
        for place, (language, part) in enumerate(sorted(parts.items())):
            names = sorted(part.groups)
            picked = np.random.default_rng([draw, place]).permutation(len(names))[: (len(names) + 1) // 2]
            half = part.joined(*(names[index] for index in picked))
            about[language] = {"draw": draw, "documents": half.documents, "of": part.documents}
            tables.append(half.table(part.table().about))
        sets = select_specific(tables, selection)
        found.append({language: neurons.described(set_draw=about[language]) for language, neurons in sets.items()})
    return found
