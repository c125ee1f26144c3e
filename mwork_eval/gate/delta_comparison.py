"""How ∆ of a table row changed from OLD to NEW, on the same documents, with a paired interval."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.gate.comparison import PairedTask, TaskChange, check_finite, clusters_of, pair_documents, reordered
from mwork_eval.gate.snapshot import Scored, Snapshot
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.deltas import Masked
from mwork_eval.results.manifest import CellEntry
from mwork_eval.results.scale import Scale
from mwork_eval.results.table_cells import masked_scores
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Array, Estimate, bootstrap


@dataclass(frozen=True)
class RowChange:
    """∆ of a row of a table in two folders.

    Attributes:
        preset: The table's preset.
        task: Its benchmark.
        setting: The row.
        languages: Mask languages averaged over.
        delta: ∆ of OLD and NEW and the difference; a negative difference says that ∆ fell.
        new: ∆ of NEW with its own interval.
        spread: Standard error of ∆ of NEW, from its clusters; None if a language has a single one.
        masked_clusters: Number of clusters over all mask languages; one that several languages share counts once.
        pivot: The language that the others are compared with.
    """

    preset: str
    task: str
    setting: str
    languages: tuple[str, ...]
    delta: TaskChange
    new: Estimate
    spread: float | None
    masked_clusters: int
    pivot: str = ENGLISH


class TableComparison:
    """The rows that a table has in two folders."""

    def __init__(self, old: Snapshot, new: Snapshot, preset: str, task: str) -> None:
        """Pair the documents of a table.

        Raises:
            InputError: If a folder lacks the table, it is not computed, or it has other documents.
        """
        self._preset, self._task, self._pivot = preset, task, old.pivot
        self._old, self._new = _Side("OLD", old, preset, task), _Side("NEW", new, preset, task)
        if self._old.baseline.keys() != self._new.baseline.keys():
            raise InputError(
                "other languages", found=" ".join(self._new.baseline), expected=" ".join(self._old.baseline)
            )
        self._orders = {
            language: pair_documents(scored, self._new.baseline[language])
            for language, scored in self._old.baseline.items()
        }

    @property
    def settings(self) -> list[str]:
        """The rows of OLD, then those of NEW that OLD lacks."""
        return list(dict.fromkeys([*self._old.settings, *self._new.settings]))

    def row(self, setting: str) -> RowChange:
        """Compare ∆ of a row.

        Raises:
            InputError: If a folder lacks the row or part of it, or has scores of other documents.
        """
        old, new = self._old.masked(setting), self._new.masked(setting)
        if old.keys() != new.keys():
            raise InputError("other mask languages", found=" ".join(new), expected=" ".join(old))
        languages = (self._pivot, *old)
        samples = {language: self._sample(language, old, new) for language in languages}
        drawn = _drawn_together(samples)
        places = {language: [drawn[language].index(c) for c in samples[language].clusters] for language in languages}
        groups = sorted(set(drawn.values()))
        scale = Scale.of(replace(self._old.baseline[self._pivot].score, documents=self._documents_of_pivot()))

        def deltas(*counts: Array) -> Array:
            """Return ∆ of NEW - ∆ of OLD, ∆ of OLD and ∆ of NEW: `[3, resamples]`."""
            of_groups = dict(zip(groups, counts, strict=True))
            changes = [
                samples[language].changes(of_groups[drawn[language]][:, places[language]]) for language in languages
            ]
            before, after = (
                scale.signed(changes[0][side] - np.mean([change[side] for change in changes[1:]], axis=0))
                for side in range(2)
            )
            return np.stack([after - before, before, after])

        change, before, after = bootstrap(deltas, [len(group) for group in groups])
        documents = min(len(self._orders[language]) for language in languages)
        found = TaskChange(
            before.value, after.value, scale.unit, change, documents, min(len(s.clusters) for s in samples.values())
        )
        spread = _spread(samples, self._pivot)
        masked = {cluster for language in old for cluster in samples[language].clusters}
        return RowChange(
            self._preset,
            self._task,
            setting,
            tuple(old),
            found,
            after,
            spread=spread and scale.factor * spread,
            masked_clusters=len(masked),
            pivot=self._pivot,
        )

    def _documents_of_pivot(self) -> tuple[tuple[float, float], ...]:
        return self._old.baseline[self._pivot].score.documents + self._new.baseline[self._pivot].score.documents

    def _sample(self, language: str, old: Masked, new: Masked) -> "_Sample":
        order = self._orders[language]
        before, after = ([side.baseline[language].score] for side in (self._old, self._new))
        before += _under_masks(language, old, self._pivot)
        after += _under_masks(language, new, self._pivot)
        after = [reordered(score, order) for score in after]
        # Without an account of clusters, nothing is taken to be shared between languages.
        return _Sample(before, after, clusters_of(before[0], after[0], f"{language} "))


def check_pivots(old: Snapshot, new: Snapshot) -> None:
    """Check that the tables of two folders compare with the same language.

    Raises:
        InputError: If they do not; names both.
    """
    if old.pivot != new.pivot:
        raise InputError("∆ against another pivot", found=f"{new.pivot} in NEW", expected=f"{old.pivot} as in OLD")


class _Side:
    """A table of one folder."""

    def __init__(self, name: str, snapshot: Snapshot, preset: str, task: str) -> None:
        self._name = name
        self._entries: Sequence[CellEntry] = snapshot.tables().get((preset, task), [])
        self._scores, self._pivot = snapshot.scores, snapshot.pivot
        if not self._entries:
            raise InputError(f"{name} has no such table")
        found = snapshot.baseline(self._entries)
        self.baseline: dict[str, Scored] = {code: scored for code, scored in found.items() if scored is not None}
        if len(self.baseline) < len(found):
            raise InputError(f"unmasked scores of {name} are not computed")
        if self._pivot not in self.baseline or len(self.baseline) < 2:
            name = Pivot(self._pivot).name
            raise InputError(f"no ∆ without {name} and another language", found=" ".join(self.baseline))

    @property
    def settings(self) -> list[str]:
        return list(dict.fromkeys(entry.setting for entry in self._entries if entry.setting is not None))

    def masked(self, setting: str) -> Masked:
        """Return the scores of a row.

        Raises:
            InputError: If there are none, some are missing, or they are of other documents than the unmasked ones.
        """
        entries = [entry for entry in self._entries if entry.setting == setting]
        if not entries:
            raise InputError(f"{self._name} has no such row")
        masked = masked_scores(entries, self._scores, self._pivot)
        if not masked:
            raise InputError(f"masked scores of {self._name} are not computed")
        if len({len(runs) for runs in masked.values()}) > 1:
            raise InputError(f"the mask languages of {self._name} have different seeds")
        for language, runs in masked.items():
            for own, of_pivot in runs:
                self._check(own, language)
                self._check(of_pivot, self._pivot)
        return masked

    def _check(self, score: TaskScore, language: str) -> None:
        baseline = self.baseline[language].score
        same = len(score.documents) == len(baseline.documents)
        if not same or score.documents_digest != baseline.documents_digest:
            raise InputError(f"masked and unmasked scores of {self._name} are of different documents")
        check_finite(score, self._name)


class _Sample:
    """The documents of one language, with their scores without a mask and under several, in both folders.

    Attributes:
        clusters: The clusters, in sorted order: equal for languages whose documents are translations of each other.
    """

    def __init__(self, old: Sequence[TaskScore], new: Sequence[TaskScore], clusters: Sequence[str]) -> None:
        order = sorted(range(len(clusters)), key=clusters.__getitem__)
        together = [clusters[place] for place in order]
        self.clusters = tuple(dict.fromkeys(together))
        self._scores = PairedTask([reordered(score, order) for score in (*old, *new)], together)
        self._first_new = len(old)

    def changes(self, counts: Array) -> tuple[Array, Array]:
        """Return the mean over masks of masked - unmasked, of OLD and of NEW: `[resamples]` each."""
        scores = self._scores.resampled(counts)
        old, new = scores[:, : self._first_new], scores[:, self._first_new :]
        return old[:, 1:].mean(1) - old[:, 0], new[:, 1:].mean(1) - new[:, 0]

    def influences(self) -> dict[str, float]:
        """Return by cluster what it adds to the change of NEW, beyond its share."""
        new = self._scores.influences()[:, self._first_new :]
        return dict(zip(self.clusters, new[:, 1:].mean(1) - new[:, 0], strict=True))


def _drawn_together(samples: Mapping[str, _Sample]) -> dict[str, tuple[str, ...]]:
    """Return by language the clusters to draw from: all those of the languages that share some with it."""
    groups: list[set[str]] = []
    for sample in samples.values():
        own = set(sample.clusters)
        joined = [group for group in groups if group & own]
        groups = [group for group in groups if group not in joined] + [own.union(*joined)]
    return {
        language: next(tuple(sorted(group)) for group in groups if group.issuperset(sample.clusters))
        for language, sample in samples.items()
    }


def _spread(samples: Mapping[str, _Sample], pivot: str) -> float | None:
    """Return the standard error of ∆ of NEW, unscaled; a cluster is one observation, in however many languages."""
    size = min(len(sample.clusters) for sample in samples.values())
    if size < 2:
        return None
    weights = {language: -1 / (len(samples) - 1) for language in samples} | {pivot: 1.0}
    influences: dict[str, float] = defaultdict(float)
    for language, sample in samples.items():
        for cluster, influence in sample.influences().items():
            influences[cluster] += weights[language] * influence
    return math.sqrt(sum(influence**2 for influence in influences.values()) * size / (size - 1))


def _under_masks(language: str, masked: Masked, pivot: str) -> list[TaskScore]:
    if language == pivot:
        return [score for runs in masked.values() for _, score in runs]
    return [own for own, _ in masked[language]]
