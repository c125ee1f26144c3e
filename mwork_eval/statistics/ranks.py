"""Which places rows of a table may have, given on which documents each was better than each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from mwork_eval.statistics.clustered import FEWEST_CLUSTERS, FEWEST_MOVED, Clustering, imagined
from mwork_eval.statistics.resampling import LEVEL, Array

_DIGITS = 9
_FEWEST_UNPAIRED = 6
"""Of fewer documents not even the sign test tells rows apart that differ in all, and standard errors may be 0."""


@dataclass(frozen=True)
class RankedScores:
    """The scores of all rows in one language, on the same documents.

    Attributes:
        values: The scores, `[rows]`.
        errors: Their standard errors, `[rows]`; NaN where one is not known.
        numerators: What each document adds to a score, in its unit, `[rows, documents]`; NaN in all documents of a row
            whose documents are not known.
        denominators: What each document counts, `[documents]`.
        keys: The cluster of each document.
    """

    values: Array
    errors: Array
    numerators: Array
    denominators: Array
    keys: Sequence[str]


@dataclass(frozen=True)
class RankRange:
    """The places that a row may have.

    Attributes:
        best: 1 more than the rows that are told to be better.
        worst: As many as there are rows, less those told to be worse.
    """

    best: int
    worst: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}\N{EN DASH}{self.worst}"


def rank_ranges(languages: Sequence[RankedScores], *, higher_is_better: bool = True) -> list[RankRange]:
    """Return the range of ranks of each row by its mean over languages.

    A row is told to be better than another if the 95 % interval of their difference excludes 0. The difference is
    paired by document where both rows have documents in every language (Miller 2024, arXiv:2411.00640), its interval
    that of `clustered.estimate`; else it is unpaired, with a normal interval from the standard errors, or none of fewer
    than 6 documents in a language. Where the paired
    interval is missing because too few clusters differ from the commonest change, which may be that one row is right
    and the other wrong nearly everywhere, the exact sign test over clusters decides. Other pairs without an interval
    are not told apart. The level holds for each pair; it is not corrected for their number.

    Args:
        languages: The scores, in one language or more.
        higher_is_better: The direction of the scores.
    """
    better = told_better(languages) if higher_is_better else told_better(languages).T
    wins, losses = better.sum(1), better.sum(0)
    return [RankRange(1 + int(lost), len(better) - int(won)) for won, lost in zip(wins, losses, strict=True)]


def told_better(languages: Sequence[RankedScores]) -> npt.NDArray[np.bool_]:
    """Return which rows are told to have a higher mean over languages than which others: `[rows, rows]`."""
    means = np.mean([of.values for of in languages], axis=0)
    differences = means[:, None] - means[None]
    errors = np.sqrt(np.sum([of.errors**2 for of in languages], axis=0)) / len(languages)
    widths = float(special.ndtri((1 + LEVEL) / 2)) * np.sqrt(errors[:, None] ** 2 + errors[None] ** 2)
    enough = min(len(of.denominators) for of in languages) >= _FEWEST_UNPAIRED
    found: npt.NDArray[np.bool_] = (differences > widths) & enough  # False for NaN
    known = np.flatnonzero(np.all([~np.isnan(of.numerators).any(1) for of in languages], axis=0))
    if len(known) > 1:
        found[np.ix_(known, known)] = _paired(languages, known, differences[np.ix_(known, known)])
    return found


def _paired(languages: Sequence[RankedScores], rows: npt.NDArray[np.intp], differences: Array) -> npt.NDArray[np.bool_]:
    """Return which of some rows, all of known documents, are told to be better than which others."""
    found = np.zeros(differences.shape, bool)
    clustering = Clustering(
        [of.denominators / of.denominators.sum() for of in languages], [of.keys for of in languages]
    )
    if clustering.smallest < FEWEST_CLUSTERS:
        return found
    parts, own, added = [], [], []
    for of in languages:
        numerators, total = of.numerators[rows], of.denominators.sum()
        added.append(numerators / total)
        scores = numerators.sum(1, keepdims=True) / total
        parts.append((numerators - scores * of.denominators) / total / len(languages))
        counted = of.denominators > 0
        own.append(np.divide(numerators, of.denominators, out=np.zeros_like(numerators), where=counted))
    fewest = min(FEWEST_MOVED, clustering.size - 1)
    for row in range(len(rows) - 1):
        later = slice(row + 1, None)
        spread = clustering.spread([of[row] - of[later] for of in parts])
        widths = np.sqrt(spread.variance) * special.stdtrit(spread.degrees, (1 + LEVEL) / 2)
        # Few of all pairs get here; what follows only widens an interval.
        for other in row + 1 + np.flatnonzero(np.abs(differences[row, later]) > widths):
            moved = clustering.moved([of[row] - of[other] for of in own])
            if moved < fewest:
                by_cluster = clustering.sums([of[[row]] - of[[other]] for of in added])[0]
                if signs_tell(by_cluster) == np.sign(differences[row, other]):
                    found[row, other] = differences[row, other] > 0
                    found[other, row] = differences[row, other] < 0
                continue
            width = widths[other - row - 1] * np.sqrt(imagined(moved, clustering.size))
            found[row, other] = differences[row, other] > width
            found[other, row] = -differences[row, other] > width
    return found


def signs_tell(differences: Array) -> int:
    """Return the sign that most differences have if the exact two-sided sign test tells them from chance, else 0.

    Args:
        differences: What each cluster adds to a difference; those of 0 count for neither side.
    """
    rounded = np.round(differences, _DIGITS)
    wins, losses = int((rounded > 0).sum()), int((rounded < 0).sum())
    most = max(wins, losses)
    if not most or 2 * float(special.bdtrc(most - 1, wins + losses, 0.5)) >= 1 - LEVEL:
        return 0
    return 1 if wins > losses else -1
