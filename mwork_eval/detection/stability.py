"""How many documents are enough: the overlap of selected sets as documents accumulate, and between random halves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mwork_eval.detection.partial import PartialScores
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet


@dataclass(frozen=True)
class SelectionOverlap:
    """A row of the table of a language.

    Attributes:
        documents: Number of documents of each corpus.
        neurons: Size of the set that they select.
        with_final: Jaccard overlap with the set of all documents.
        of_halves: Jaccard overlap of the sets of two random halves of these documents, or None for one document.
    """

    documents: int
    neurons: int
    with_final: float
    of_halves: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value."""
        return asdict(self)


def group_of(number: int) -> str:
    """Return the group that document ``number`` of a corpus is kept in: its power of two, and a random half.

    Of every two neighbouring documents one goes into each half, drawn by the pair's number.
    """
    pair, second = divmod(number, 2)
    flipped = int(np.random.default_rng(pair).integers(2))
    return f"{number.bit_length():02d}{'ab'[second ^ flipped]}"


def measure_stability(parts: Mapping[str, PartialScores], selection: Selection) -> dict[str, list[SelectionOverlap]]:
    """Measure the overlaps for 1, 2, 4, 8, … documents of every language, the sets selected as for all documents.

    Args:
        parts: Scores by language, with the groups of `group_of`.
        selection: The rule. Language-specific sets take away what the other corpora select at the same number.

    Returns:
        Per language that has a set, the rows.
    """
    final = _sets(parts, selection, "")
    rows: dict[str, list[SelectionOverlap]] = {language: [] for language in final}
    powers = sorted({name[:2] for part in parts.values() for name in part.groups})
    for power in powers:
        whole, first, second = (_sets(parts, selection, half, power) for half in ("", "a", "b"))
        for language in final:
            if language in whole:
                both = language in first and language in second
                rows[language].append(
                    SelectionOverlap(
                        documents=_documents(parts[language], power),
                        neurons=len(whole[language]),
                        with_final=jaccard(whole[language], final[language]),
                        of_halves=jaccard(first[language], second[language]) if both else None,
                    )
                )
    return rows


def jaccard(left: NeuronSet, right: NeuronSet) -> float:
    """Return the size of the intersection over that of the union, 1 for two empty sets."""
    union = len(left | right)
    return len(left & right) / union if union else 1.0


def _documents(part: PartialScores, power: str) -> int:
    return sum(group.documents for name, group in part.groups.items() if name[:2] <= power)


def _sets(
    parts: Mapping[str, PartialScores], selection: Selection, half: str, power: str = "99"
) -> dict[str, NeuronSet]:
    """Select from the groups up to a power of two; nothing where there are no documents or nothing is selected."""
    tables: list[ScoreTable] = []
    for part in parts.values():
        names = [name for name in part.groups if name[:2] <= power and name.endswith(half)]
        if not names:
            return {}
        tables.append(part.joined(*names).table(part.run["about"]))
    return _select(tables, selection)


def _select(tables: Sequence[ScoreTable], selection: Selection) -> dict[str, NeuronSet]:
    try:
        return select_specific(tables, selection)
    except InputError:
        return {}
