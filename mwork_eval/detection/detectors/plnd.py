"""Selection by PLND's scores (arXiv:2402.18815): a neuron must be strong in every document of a language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mwork_eval.detection.detectors.detector import Arguments
from mwork_eval.detection.selection import Selection, check_scored, top_count
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.files.tensor_file import Array

_GROWTH = 1.02
"""From one fraction tried to the next, where a number of neurons is asked for."""


class Plnd:
    """Takes the neurons whose zeroing changes most, by rank or by threshold, and takes away what others have too."""

    needs = ()
    structures = DEFAULT_STRUCTURES
    attention = ()
    rules = ("fraction", "top_k", "threshold", "count")
    arguments = Arguments
    cost = "1 forward"

    def select(self, tables: "Sequence[ScoreTable]", selection: Selection) -> dict[str, NeuronSet]:
        """Select each language's neurons by the rule, and take away what the rule says."""
        if selection.count is not None:
            return _of_count(tables, selection, selection.count)
        return specific_sets(tables, {table.about["language"]: select(table, selection) for table in tables}, selection)


DETECTOR = Plnd()


def select(table: "ScoreTable", selection: Selection) -> NeuronSet:
    """Return all neurons of a language by the rule, the strongest first.

    By threshold these have the highest minima over documents; by fraction or top k the best worst ranks, and where
    those are equal the highest means.
    """
    indices: dict[Place, Array] = {}
    for place, minimum in table.minimum.items():
        if place[1] not in selection.structures:
            continue
        worst_rank, mean = table.worst_rank[place], table.mean[place]
        if selection.threshold is not None:
            chosen, order = minimum >= selection.threshold[place[1]], np.argsort(-minimum, kind="stable")
        else:
            top = selection.top_k or top_count(selection.fraction or 0.0, len(minimum))
            chosen, order = worst_rank < top, np.lexsort((-mean, worst_rank))
        indices[place] = order[chosen[order]]
    return NeuronSet(table.shape, indices, {**table.about, "selection": selection.to_json()})


def specific_sets(
    tables: "Sequence[ScoreTable]", found: Mapping[str, NeuronSet], selection: Selection
) -> dict[str, NeuronSet]:
    """Take away from each language's neurons what a rule says.

    Args:
        tables: Scores of each language.
        found: All neurons of each language.
        selection: The rule.

    Returns:
        As `select_specific`.

    Raises:
        InputError: If the pivot is missing, or nothing is left of a set.
    """
    check_scored(found, selection)
    sets = _specific(tables, found, selection)
    empty = [language for language, neurons in sets.items() if len(neurons) == 0]
    if empty and selection.specific == "none":
        raise InputError("nothing selected", found=f"no neuron of {' '.join(empty)}", hint="relax the rule")
    if empty:
        raise InputError(f"no neuron is specific to {empty[0]}", hint="select more, for example `fraction=0.02`")
    return sets


def _specific(
    tables: "Sequence[ScoreTable]", found: Mapping[str, NeuronSet], selection: Selection
) -> dict[str, NeuronSet]:
    # Nothing is taken away yet; what the algebra below takes becomes shared.
    detected = {language: replace(neurons, shared={}) for language, neurons in found.items()}
    if selection.specific == "none":
        return detected
    pivot = selection.subtracted
    if pivot is None:
        common = reduce(lambda left, right: left & right, detected.values())
        sets = {language: neurons - common for language, neurons in detected.items()}
    else:
        sets = {code: neurons - detected[pivot] for code, neurons in detected.items() if code != pivot}
    of_whom = sorted(detected) if pivot is None else [pivot]
    corpora = {table.about["language"]: table.about.get("corpus") for table in tables}
    return {
        language: neurons.described(subtracted={code: corpora[code] for code in of_whom if code != language})
        for language, neurons in sets.items()
    }


def _of_count(tables: "Sequence[ScoreTable]", selection: Selection, count: int) -> dict[str, NeuronSet]:
    """Return as many neurons of each language: the strongest of the smallest top fraction that has enough of its own.

    Raises:
        InputError: If no fraction has enough.
    """
    check_scored([table.about["language"] for table in tables], selection)
    found = {}
    for table in tables:
        language = table.about["language"]
        if language == selection.subtracted:
            continue
        fraction = _smallest_fraction(tables, language, selection, count)
        rule = replace(selection, fraction=fraction, count=None)
        neurons = _specific(tables, {one.about["language"]: select(one, rule) for one in tables}, rule)[language]
        # The rest of the fraction is no member, and a control that leaves out the language's neurons knows it.
        kept = neurons & neurons.strongest(count)
        found[language] = kept.described(selection={**selection.to_json(), "fraction": fraction})
    return found


def _smallest_fraction(tables: "Sequence[ScoreTable]", language: str, selection: Selection, count: int) -> float:
    own = next(table for table in tables if table.about["language"] == language)
    places = [place for place in own.worst_rank if place[1] in selection.structures]
    fraction = 1 / max(len(own.worst_rank[place]) for place in places)
    most = 0
    while fraction < _GROWTH:
        enough = _specific_count(tables, own, selection, places, min(fraction, 1.0))
        if enough >= count:
            return min(fraction, 1.0)
        most = max(most, enough)
        fraction *= _GROWTH
    raise InputError(
        f"too few neurons are specific to {language}",
        found=f"{most} in the fraction that has most",
        expected=count,
        hint="ask for fewer, or for more structures",
    )


def _specific_count(
    tables: "Sequence[ScoreTable]",
    own: "ScoreTable",
    selection: Selection,
    places: Sequence[Place],
    fraction: float,
) -> int:
    """Return how many neurons of a top fraction are specific to a language; gate, up and down are one switch."""
    total, switches = 0, dict[int, list[np.ndarray]]()
    for place in places:
        top = top_count(fraction, len(own.worst_rank[place]))
        inside = {table.about["language"]: table.worst_rank[place] < top for table in tables}
        taken = _taken(inside, selection)
        chosen = inside[own.about["language"]] & ~taken
        if place[1] in ("gate", "up", "down"):
            switches.setdefault(place[0], []).append(np.flatnonzero(chosen))
        else:
            total += int(chosen.sum())
    return total + sum(len(np.unique(np.concatenate(members))) for members in switches.values())


def _taken(inside: "Mapping[str, Array]", selection: Selection) -> "Array":
    if selection.subtracted is not None:
        return inside[selection.subtracted]
    every = list(inside.values())
    return reduce(np.logical_and, every) if selection.specific == "common" else np.zeros_like(every[0])
