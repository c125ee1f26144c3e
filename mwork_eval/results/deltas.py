"""∆ of a pivot and the other languages (∆Eng, ∆n-Eng) with intervals over documents: arithmetic on scores, no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.language_scores import LanguageScore, language_score
from mwork_eval.results.paired_scores import PairedScores
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.clustered import Clustering, estimate
from mwork_eval.statistics.resampling import Array, Estimate

Masked = Mapping[str, Sequence[tuple[TaskScore, TaskScore]]]
"""Per mask language and seed (one entry without seeds), the scores of that language and of the pivot under the mask."""


@dataclass(frozen=True)
class Delta:
    """What one setting does, averaged over mask languages.

    Names are those of English, the pivot unless another was chosen: with the pivot `zh`, `delta_eng` is ∆zh.
    Differences count so that negative means damage, in percentage points (bits per byte for that metric).

    Attributes:
        eng: Score of the pivot under the masks.
        non_eng: Score of the masked languages under their masks.
        delta_eng: ∆Eng, the mean over languages of (pivot masked - pivot baseline).
        delta_non_eng: ∆n-Eng, the mean over languages of (language masked - language baseline).
        delta: ∆ = ∆Eng - ∆n-Eng.
        by_language: Per mask language, what its mask does.
        by_seed: ∆ of each seed of a random control; empty if there is one seed or none.
        documents: Number of documents per language.
    """

    eng: float
    non_eng: float
    delta_eng: Estimate
    delta_non_eng: Estimate
    delta: Estimate
    by_language: Mapping[str, LanguageScore]
    by_seed: tuple[float, ...]
    documents: Mapping[str, int]


class DeltaCalculator:
    """Computes the deltas of one benchmark from its baseline scores.

    Intervals are over documents, by cluster and jointly over languages: baseline and masked scores, every mask on
    the pivot, and parallel documents of all languages vary together.
    """

    def __init__(self, baseline: Mapping[str, TaskScore], pivot: str = ENGLISH) -> None:
        """Keep the baseline: per language, the score without a mask; the pivot's among them."""
        self._baseline, self._pivot = baseline, pivot
        self.metric = baseline[pivot].metric
        self.scale = Scale.of(baseline[pivot])

    @cached_property
    def baseline(self) -> dict[str, float]:
        """Baseline score per language, scaled."""
        return {language: self.scale.factor * score.score for language, score in self._baseline.items()}

    def delta(self, masked: Masked) -> Delta:
        """Compute the deltas of a setting.

        Args:
            masked: The scores under the setting's masks.

        Raises:
            InputError: If a masked score has other documents than its baseline.
            ValueError: If seeds differ in number.
        """
        effect = MaskEffect(self._baseline, masked, self.scale, self._pivot)
        by_language = {
            language: language_score(self._baseline[language], self._baseline[self._pivot], runs, self.scale)
            for language, runs in masked.items()
        }
        return Delta(
            eng=float(np.mean([score.english.masked for score in by_language.values()])),
            non_eng=float(np.mean([score.own.masked for score in by_language.values()])),
            delta_eng=effect.estimate(1, 0),
            delta_non_eng=effect.estimate(0, 1),
            delta=effect.estimate(1, -1),
            by_language=by_language,
            by_seed=tuple(effect.deltas.tolist()) if len(effect.deltas) > 1 else (),
            documents={language: len(self._baseline[language].documents) for language in (self._pivot, *masked)},
        )


class MaskEffect:
    """What masks do, document by document and run by run; a run is a draw of a random control.

    Attributes:
        deltas: ∆ of each run, `[runs]`.
        samples: The pivot (under every mask), then each mask language.
    """

    def __init__(self, baseline: Mapping[str, TaskScore], masked: Masked, scale: Scale, pivot: str = ENGLISH) -> None:
        """Pair the masked scores with the baseline.

        Raises:
            InputError: If a masked score has other documents than its baseline.
            ValueError: If seeds differ in number.
        """
        seeds = {len(runs) for runs in masked.values()}
        if len(seeds) != 1:
            raise ValueError(f"seeds differ between languages: {seeds}")
        (self._runs,) = seeds
        self._scale = scale
        of_pivot = [score for runs in masked.values() for _, score in runs]
        self.samples = [PairedScores(baseline[pivot], of_pivot, pivot)]
        self.samples += [
            PairedScores(baseline[language], [own for own, _ in runs], language) for language, runs in masked.items()
        ]
        self.deltas: Array = scale.signed(
            self._of_pivot("changes") - np.mean([sample.changes for sample in self.samples[1:]], axis=0)
        )

    def clustering(self, first: int = 0, last: int | None = None) -> Clustering:
        """Return the clusters of all samples, or of some."""
        samples = self.samples[first:last]
        return Clustering([sample.shares for sample in samples], [sample.keys for sample in samples])

    def contributions(self) -> list[Array]:
        """Return what each document adds to ∆ of each run beyond its share: per sample `[runs, documents]`."""
        return self._parts("contributions", 1, -1)

    def own_changes(self) -> list[Array]:
        """Return the change of each document's own score, as it counts in ∆: per sample `[runs, documents]`."""
        return self._parts("own_changes", 1, -1)

    def shares_of_delta(self) -> list[Array]:
        """Return all that each document adds to ∆ of each run: per sample `[runs, documents]`, together ∆."""
        changes = self._parts("changes", 1, -1)
        return [
            own + change[:, None] * sample.shares
            for own, change, sample in zip(self.contributions(), changes, self.samples, strict=True)
        ]

    def estimate(self, pivot: float, others: float) -> Estimate:
        """Return a sum of the changes of the pivot and of the mean of the others, each with a weight, over all runs."""
        first, last = (0 if pivot else 1), (None if others else 1)
        value = np.sum([change.mean() for change in self._parts("changes", pivot, others)])
        return estimate(
            float(value),
            self.clustering(first, last),
            [part.mean(0) for part in self._parts("contributions", pivot, others)[first:last]],
            [part.mean(0) for part in self._parts("own_changes", pivot, others)[first:last]],
        )

    def _parts(self, what: str, pivot: float, others: float) -> list[Array]:
        parts = [pivot * self._of_pivot(what)]
        parts += [others * getattr(sample, what) / len(self.samples[1:]) for sample in self.samples[1:]]
        return [self._scale.signed(part) for part in parts]

    def _of_pivot(self, what: str) -> Array:
        """Return the mean over masks for each run: the pivot was scored under every mask language's."""
        found: Array = getattr(self.samples[0], what)
        mean: Array = found.reshape(len(self.samples) - 1, self._runs, *found.shape[1:]).mean(0)
        return mean
