"""How a score changed from OLD to NEW, on the same documents, with a paired interval."""

from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.ablation.scale import Scale
from mwork_eval.ablation.statistics import Array, Estimate, bootstrap, minimum_detectable
from mwork_eval.harness.task_score import TaskScore


@dataclass(frozen=True)
class Change:
    """A number of two folders, from the same documents.

    Attributes:
        old: The number of OLD, scaled.
        new: That of NEW.
        unit: Their unit.
        change: The difference, signed so that negative means damage, with its 95 % interval.
        documents: Number of documents; of the language with the fewest, if there are several.
    """

    old: float
    new: float
    unit: str
    change: Estimate
    documents: int

    @property
    def relative(self) -> float | None:
        """The difference as a share of the old number; None if that is zero."""
        return self.change.value / abs(self.old) if self.old else None

    @property
    def detectable(self) -> float | None:
        """The smallest true change that the documents find in 80 % of cases; None if that cannot be told."""
        return minimum_detectable(self.change.standard_error) if self.change.standard_error else None


def compare_scores(old: TaskScore, new: TaskScore) -> Change:
    """Compare two scores of the same documents in the same order."""
    scale = Scale.of(replace(old, documents=old.documents + new.documents))
    sample = PairedScores(old, new)

    def change(counts: Array) -> Array:
        scores = sample.resampled(counts)
        return scale.signed(scores[:, 1] - scores[:, 0])[None]

    size = len(old.documents)
    (estimate,) = bootstrap(change, [size])
    return Change(scale.factor * old.score, scale.factor * new.score, scale.unit, estimate, size)


class PairedScores:
    """Scores of the same documents, to be resampled together."""

    def __init__(self, *scores: TaskScore) -> None:
        columns = np.array([score.documents for score in scores], dtype=float)
        self._numerators, self._denominators = columns[..., 0].T, columns[..., 1].T  # [documents, scores]

    def resampled(self, counts: Array) -> Array:
        """Return every score over resampled documents: `[resamples, scores]`.

        Args:
            counts: How often each document counts, `[resamples, documents]`.
        """
        scores: Array = (counts @ self._numerators) / (counts @ self._denominators)
        return scores
