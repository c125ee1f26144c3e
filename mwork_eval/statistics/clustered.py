"""How sure a difference of scores is whose documents come in clusters, in several languages at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mwork_eval.statistics.resampling import LEVEL, Array, Estimate

FEWEST_CLUSTERS = 4
"""Of fewer clusters there is no interval: even where it covered, it would be several times wider than with more."""
FEWEST_MOVED = 5
"""Nor where fewer clusters moved: what one more or less would do is not in the data."""
_DIGITS = 9


@dataclass(frozen=True)
class ClusterSpread:
    """The variance of some numbers over documents.

    Attributes:
        variance: `[numbers]`.
        degrees: Degrees of freedom of each variance, `[numbers]`.
    """

    variance: Array
    degrees: Array


class Clustering:
    """The documents of one or more languages, by the cluster to which they belong.

    Documents of one key are one observation, also in different languages: a cluster adds to a number what all its
    documents add. A score is a ratio of sums, which is linearised (Cochran 1977, Section 6.4), and the variance of a
    sum of such contributions is the sum of squares over clusters. Residuals of few or unequal clusters are too small;
    each is enlarged by what it falls short of if a cluster varies with its share (CR2 of Bell and McCaffrey 2002,
    Survey Methodology 28, for means). The degrees of freedom are the effective number of clusters (Carter, Schnepel
    and Steigerwald 2017, doi:10.1162/REST_a_00639) less one.
    """

    def __init__(self, shares: Sequence[Array], keys: Sequence[Sequence[str]]) -> None:
        """Number the clusters.

        Args:
            shares: Per language, the share of its denominator that each document has: `[documents]`, sum 1.
            keys: Per language, a key per document.
        """
        numbers: dict[str, int] = {}
        self._weights = shares
        self._places = [np.array([numbers.setdefault(key, len(numbers)) for key in own], int) for own in keys]
        self.size = len(numbers)
        self.smallest = min(len(set(own)) for own in keys)
        self._shares = np.stack([self._sums(own[None], number)[0] for number, own in enumerate(shares)])
        squares = (self._shares**2).sum(1, keepdims=True)
        left = 1 - 2 * self._shares + squares  # 0 for the only cluster of a language
        self._factors = np.divide(1, np.sqrt(left), out=np.zeros_like(left), where=left > 1e-12)

    def spread(self, contributions: Sequence[Array]) -> ClusterSpread:
        """Return the variance of numbers over documents.

        Args:
            contributions: Per language, what each document adds beyond its share: `[numbers, documents]`, sum 0.
        """
        # [languages, numbers, clusters]
        parts = np.stack([self._sums(own, number) for number, own in enumerate(contributions)])
        parts *= self._factors[:, None]
        variance: Array = (parts.sum(0) ** 2).sum(1)
        expected = np.einsum("lc,ln->nc", self._shares, (parts**2).sum(2))
        squared = (expected**2).sum(1)
        effective = np.divide(expected.sum(1) ** 2, squared, out=np.ones_like(squared), where=squared > 0)
        return ClusterSpread(variance, np.maximum(effective - 1, 1))

    def sums(self, values: Sequence[Array]) -> Array:
        """Return sums by cluster over all languages: `[numbers, documents]` each to `[numbers, clusters]`."""
        found: Array = np.sum([self._sums(own, number) for number, own in enumerate(values)], axis=0)
        return found

    def centred(self, values: Array, language: int) -> Array:
        """Return what each document adds beyond its share: `[numbers, documents]`, sum 0."""
        centred: Array = values - values.sum(1, keepdims=True) * self._weights[language]
        return centred

    def moved(self, changes: Sequence[Array]) -> int:
        """Count the clusters with a document whose change is not the commonest of its language.

        Args:
            changes: Per language, the change of each document's own score: `[documents]`.
        """
        moved = np.zeros(self.size, bool)
        for places, own in zip(self._places, changes, strict=True):
            rounded = np.round(own, _DIGITS)
            values, counts = np.unique(rounded, return_counts=True)
            # Equally many are most often all different; then the smallest counts as what did not move.
            often = values[counts == counts.max()]
            moved[places[rounded != often[np.abs(often).argmin()]]] = True
        return int(moved.sum())

    def _sums(self, values: Array, language: int) -> Array:
        sums = np.zeros((self.size, len(values)))
        np.add.at(sums, self._places[language], values.T)
        return sums.T


def estimate(
    value: float, clustering: Clustering, contributions: Sequence[Array], changes: Sequence[Array]
) -> Estimate:
    """Return a number with its interval by Student's t, or why it has none.

    Where few clusters moved, the interval of binary answers would be too narrow: two imagined clusters that moved are
    added to the variance, as Bonett and Price (2012, doi:10.3102/1076998611411915) add a pair that was won and a pair
    that was lost, the less the more clusters moved of all.

    Args:
        value: The number.
        clustering: The clusters of the documents.
        contributions: Per language, what each document adds beyond its share, `[documents]`.
        changes: Per language, the change of each document's own score, `[documents]`.
    """
    if clustering.smallest < FEWEST_CLUSTERS:
        of = "1 cluster" if clustering.smallest == 1 else f"{clustering.smallest} clusters"
        return Estimate(value, None, None, None, f"{of} of documents, fewer than {FEWEST_CLUSTERS}")
    moved = clustering.moved(changes)
    # Where all changes differ, one of them still is the commonest.
    if moved < min(FEWEST_MOVED, clustering.size - 1):
        return Estimate(value, None, None, None, f"{moved} of {clustering.size} clusters of documents moved")
    spread = clustering.spread([own[None] for own in contributions])
    error = float(np.sqrt(spread.variance[0] * imagined(moved, clustering.size)))
    width = error * float(special.stdtrit(spread.degrees[0], (1 + LEVEL) / 2))
    return Estimate(value, value - width, value + width, error)


def imagined(moved: int, clusters: int) -> float:
    """Return by what two imagined clusters that moved enlarge a variance; 1 where all moved."""
    return 1 + 2 / moved * (1 - moved / clusters) if moved else 1.0
