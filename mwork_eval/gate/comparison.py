"""How a score changed from OLD to NEW: documents paired, or the reason why not; a paired interval; an exact test."""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.gate.limits import LEVEL
from mwork_eval.gate.snapshot import DocumentKey, Scored
from mwork_eval.results.prompting_record import changed_prompting, shots_in_words
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.power import detectable_drop, detectable_loss
from mwork_eval.statistics.resampling import RESAMPLES, Array, Estimate, bootstrap, sum_by_cluster
from mwork_eval.statistics.sign_flips import moved_needed, sign_flip_p

Order = list[int]
"""For each document of the old score, its place in the new one."""


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


def pair_documents(old: Scored, new: Scored) -> Order:
    """Pair the documents of two scores of one task.

    Raises:
        InputError: If documents, prompts, right answers, the metric or its definition differ, a document has no score,
            or there is no document.
    """
    mine, theirs = old.score, new.score
    if (mine.metric, mine.higher_is_better) != (theirs.metric, theirs.higher_is_better):
        raise InputError("another metric", found=theirs.metric, expected=mine.metric)
    if asked := changed_prompting(old.definition, new.definition):
        raise InputError("another prompting", found=asked[1], expected=asked[0], hint="score both in the same way")
    if old.definition != new.definition:
        raise InputError(
            "another definition of the score",
            found=new.definition,
            expected=old.definition or "one that OLD does not tell",
            hint="score both with this version; lm-eval's hf begins whole texts otherwise than mwork-hf",
        )
    if not old.keys:
        raise InputError("no documents")
    if reason := _difference(old.keys, new.keys):
        shots = old.shots or 0, new.shots or 0
        if shots[0] != shots[1] and reason.startswith("another prompt"):
            was, now = map(shots_in_words, shots)
            raise InputError(f"another prompting: {reason}", found=now, expected=was, hint="score both in the same way")
        raise InputError(reason)
    check_finite(mine, "OLD")
    check_finite(theirs, "NEW")
    places: dict[DocumentKey, deque[int]] = defaultdict(deque)
    for place, key in enumerate(new.keys):
        places[key].append(place)
    return [places[key].popleft() for key in old.keys]


def check_finite(score: TaskScore, folder: str) -> None:
    """Check that every document has a score: what is no number compares with nothing, and would pass.

    Raises:
        InputError: If one has none.
    """
    if unscored := sum(not (math.isfinite(n) and math.isfinite(d) and d > 0) for n, d in score.documents):
        raise InputError(f"{unscored} of {len(score.documents)} documents of {folder} have no finite score")


def reordered(score: TaskScore, order: Order) -> TaskScore:
    """Return a new score with its documents, and what they belong to, in the order of the old one."""
    documents, clusters = score.documents, score.clusters
    return replace(
        score,
        documents=tuple(documents[place] for place in order),
        clusters=tuple(clusters[place] for place in order) if len(clusters) == len(documents) else (),
    )


def same_documents(scored: Scored, others: Mapping[str, Scored]) -> str | None:
    """Return the name of the score whose documents hold all of another's, or None."""
    documents = {key.document for key in scored.keys}
    holders = (name for name, other in others.items() if documents <= {key.document for key in other.keys})
    return next(holders, None) if documents else None


def _difference(old: tuple[DocumentKey, ...], new: tuple[DocumentKey, ...]) -> str | None:
    missing = Counter(key.document for key in old)
    missing.subtract(key.document for key in new)
    only_old, only_new = (+missing).total(), (-missing).total()
    if only_old or only_new:
        return f"other documents: {only_old} of {len(old)} are only in OLD, {only_new} of {len(new)} only in NEW"
    for what, part in (("prompt", "prompt"), ("right answer", "target")):
        changed = Counter((key.document, getattr(key, part)) for key in old)
        changed.subtract((key.document, getattr(key, part)) for key in new)
        if count := (+changed).total():
            return f"another {what} in {count} of {len(old)} documents"
    return None if Counter(old) == Counter(new) else "prompts and right answers of repeated documents are swapped"
