"""The numbers of a score's documents, as what compares scores document by document needs them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from mwork_eval.digests import digest_of
from mwork_eval.results.scored_document import ScoredDocument
from mwork_eval.statistics.clustered import FEWEST_CLUSTERS, FEWEST_MOVED, Clustering
from mwork_eval.statistics.resampling import LEVEL


@dataclass(frozen=True, eq=False)
class DocumentNumbers:
    """The numbers of a score's documents, in order.

    Attributes:
        numerators: `[documents]`, as the metric has them.
        denominators: `[documents]`.
        factor: What the ratio of their sums is multiplied by to be the score in its unit.
        clusters: The key of what each document belongs to; empty if that is not known.
    """

    numerators: npt.NDArray[np.float32]
    denominators: npt.NDArray[np.float32]
    factor: float
    clusters: tuple[str, ...]

    @classmethod
    def of(
        cls, documents: Sequence[tuple[float, float]], factor: float, clusters: Sequence[str]
    ) -> "DocumentNumbers | None":
        """Keep numbers; None if there are none, or one is no number.

        Args:
            documents: Numerator and denominator of each.
            factor: As the attribute.
            clusters: Likewise. Equal keys of many results are kept once.
        """
        with np.errstate(over="ignore"):  # too large for the page is infinite, which is no number
            numbers = np.array(documents, np.float32).reshape(-1, 2)
        if not len(numbers) or not np.isfinite(numbers).all() or numbers[:, 1].sum() <= 0:
            return None
        return cls(numbers[:, 0].copy(), numbers[:, 1].copy(), factor, tuple(map(sys.intern, clusters)))

    @property
    def interval(self) -> tuple[float, float] | None:
        """Ends of the 95 % interval of the score in its unit, by Student's t.

        None of fewer clusters than 4, or where fewer than 5 have a document unlike most: a score of 0 is no certain 0.
        """
        weights, total = self.denominators.astype(float), float(self.denominators.sum())
        keys = self.clusters or [str(number) for number in range(len(weights))]
        clustering = Clustering([weights / total], [keys])
        own = np.divide(self.numerators, weights, out=np.zeros_like(weights), where=weights > 0)
        if clustering.smallest < FEWEST_CLUSTERS or clustering.moved([own]) < min(FEWEST_MOVED, clustering.size - 1):
            return None
        score = float(self.numerators.sum()) / total
        spread = clustering.spread([((self.numerators - score * weights) / total)[None]])
        width = float(np.sqrt(spread.variance[0]) * special.stdtrit(spread.degrees[0], (1 + LEVEL) / 2))
        return self.factor * (score - width), self.factor * (score + width)


def ranked_by(compared_by: str, definition: Sequence[object], documents: Sequence[ScoredDocument]) -> str:
    """Return what scores must have in common to be ranked together.

    Args:
        compared_by: What they have in common if prompts must be equal.
        definition: What defines the score beside its documents, without the chat template.
        documents: The documents, where a chat template rendered their prompts; else nothing.
    """
    if not documents:
        return compared_by
    return digest_of(["templated", list(definition), [[one.document, one.target] for one in documents]])
