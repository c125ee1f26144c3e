"""How a score changed from OLD to NEW, on the same documents, with a paired interval and an exact test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.gate.control import LEVEL
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.power import detectable_drop, detectable_loss
from mwork_eval.statistics.resampling import RESAMPLES, Array, Estimate, bootstrap, sum_by_cluster
from mwork_eval.statistics.sign_flips import moved_needed, sign_flip_p


@dataclass(frozen=True)
class TaskChange:
    """A number of two folders, from the same documents.

    Attributes:
        old: The number of OLD, scaled.
        new: That of NEW.
        unit: Their unit.
        change: The difference, signed so that negative means damage, with its 95 % interval.
        documents: Number of documents; of the language with the fewest, if there are several.
        clusters: Number of clusters of documents, likewise.
    """

    old: float
    new: float
    unit: str
    change: Estimate
    documents: int
    clusters: int

    @property
    def relative(self) -> float | None:
        """The difference as a share of the old number; None if that is zero."""
        return self.change.value / abs(self.old) if self.old else None


@dataclass(frozen=True)
class ScoreChange(TaskChange):
    """How the score of a task changed.

    Attributes:
        p: Two-sided p-value of no change: exact, over all ways in which OLD and NEW could have changed places in the
            clusters.
        spread: Standard error of the change, from the clusters; None for a single one.
        step: What a document loses that is lost: the root mean square of the scores of OLD that are not zero. None
            where the scale is not one of points, and all documents change.
        is_binary: Whether every document is right or wrong.
    """

    p: float
    spread: float | None
    step: float | None
    is_binary: bool

    def detectable(self, level: float) -> float | None:
        """Return the smallest true drop found in 80 % of runs where p must be below a level; None if it is not known.

        Changes in both directions are taken to be as many as these were, without those that a drop explains of which
        this comparison is sure by itself.
        """
        if self.spread is None or self.clusters < moved_needed(level):
            return None
        step, found = self.step or 0.0, abs(self.change.value) if self.p < LEVEL else 0.0
        noise = math.sqrt(max(0.0, self.spread**2 - max(0.0, found * step - found**2) / self.documents))
        drop = detectable_drop(noise, step, self.documents, self.clusters, level) if noise + step else None
        if drop is None or not self.is_binary:
            return drop
        loss = detectable_loss(self.documents, self.clusters, level)
        return None if loss is None else max(drop, 100 * loss)


def compare_scores(old: TaskScore, new: TaskScore, *, resamples: int = RESAMPLES) -> ScoreChange:
    """Compare two scores of the same documents in the same order.

    Args:
        old: The score of OLD.
        new: The score of NEW.
        resamples: Number of resamples for the interval.
    """
    both = replace(old, documents=old.documents + new.documents)
    scale = Scale.of(both)
    clusters = clusters_of(old, new)
    sample = PairedTask([old, new], clusters)

    def change(counts: Array) -> Array:
        scores = sample.resampled(counts)
        return scale.signed(scores[:, 1] - scores[:, 0])[None]

    (estimate,) = bootstrap(change, [sample.size], resamples=resamples)
    (before, weights_before), (after, weights_after) = (np.array(score.documents).T for score in (old, new))
    # With the ratio of both together, OLD and NEW changing places changes nothing but the sign, also where a document
    # has two denominators; where it has one, this is the plain difference.
    differences = sum_by_cluster(after - before - both.score * (weights_after - weights_before), clusters)
    is_binary = all(weight == 1 and value in (0, 1) for value, weight in both.documents)
    return ScoreChange(
        scale.factor * old.score,
        scale.factor * new.score,
        scale.unit,
        estimate,
        len(old.documents),
        sample.size,
        sign_flip_p(differences),
        scale.factor * _spread(differences, float(weights_before.sum())) if sample.size > 1 else None,
        scale.factor * size_of_score(old) if scale.unit == "points" else None,
        is_binary,
    )


def clusters_of(old: TaskScore, new: TaskScore, prefix: str = "") -> tuple[str, ...]:
    """Return which documents belong together; the coarser account if two folders differ, and singles if neither tells.

    Args:
        old: The score of OLD.
        new: The score of NEW, in the order of OLD.
        prefix: Beginning of the keys of documents by themselves.
    """
    size = len(old.documents)
    told = [score.clusters for score in (new, old) if len(score.clusters) == size]
    return min(told, key=lambda keys: len(set(keys)), default=tuple(f"{prefix}{number}" for number in range(size)))


class PairedTask:
    """Scores of the same documents, to be resampled together, cluster by cluster.

    Attributes:
        size: Number of clusters.
    """

    def __init__(self, scores: Sequence[TaskScore], clusters: Sequence[str]) -> None:
        columns = np.array([score.documents for score in scores], dtype=float)  # [scores, documents, 2]
        self._numerators, self._denominators = (
            sum_by_cluster(columns[..., part], clusters).T for part in range(2)
        )  # [clusters, scores]
        self.size = len(self._numerators)

    def resampled(self, counts: Array) -> Array:
        """Return every score over resampled clusters: `[resamples, scores]`.

        Args:
            counts: How often each cluster counts, `[resamples, clusters]`.
        """
        scores: Array = (counts @ self._numerators) / (counts @ self._denominators)
        return scores

    def influences(self) -> Array:
        """Return what each cluster adds to each score beyond its share: `[clusters, scores]` (Cochran 1977, 6.4)."""
        numerators, denominators = self._numerators, self._denominators
        totals = denominators.sum(0)
        influences: Array = (numerators - numerators.sum(0) / totals * denominators) / totals
        return influences


def size_of_score(score: TaskScore) -> float:
    """Return what a document that is lost loses: the root mean square of the scores that are not zero; 1 if all are."""
    scores = np.array([value / weight for value, weight in score.documents if value > 0])
    return float(np.linalg.norm(scores)) / math.sqrt(len(scores)) if len(scores) else 1.0


def _spread(differences: Array, weight: float) -> float:
    """Return the standard error of a sum of cluster differences over the sum of weights."""
    size = len(differences)
    return float(differences.std(ddof=1)) * math.sqrt(size) / weight
