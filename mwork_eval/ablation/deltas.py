"""∆Eng, ∆n-Eng and ∆ with bootstrap intervals: arithmetic on scores, no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mwork_eval.ablation.language_scores import LanguageScore, language_score
from mwork_eval.ablation.paired_scores import PairedScores
from mwork_eval.ablation.scale import Scale
from mwork_eval.ablation.statistics import RESAMPLES, SEED, Array, Estimate, bootstrap
from mwork_eval.harness.task_score import TaskScore
from mwork_eval.languages import ENGLISH

Masked = Mapping[str, Sequence[tuple[TaskScore, TaskScore]]]
"""Per mask language and seed (one entry without seeds), the scores of that language and of English under the mask."""


@dataclass(frozen=True)
class Delta:
    """What one setting does, averaged over mask languages.

    Differences count so that negative means damage, in percentage points (bits per byte for that metric).

    Attributes:
        eng: English score under the masks.
        non_eng: Score of the masked languages under their masks.
        delta_eng: ∆Eng, the mean over languages of (English masked - English baseline).
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

    Documents are resampled within their language. The same resampled documents are used for baseline and masked
    scores, for every setting and for every mask on English, so that differences are paired.
    """

    def __init__(self, baseline: Mapping[str, TaskScore], resamples: int = RESAMPLES, seed: int = SEED) -> None:
        """Keep the baseline.

        Args:
            baseline: Per language, the score without a mask; English among them.
            resamples: Number of bootstrap resamples.
            seed: Seed of the resampling.
        """
        self._baseline, self._resamples, self._seed = baseline, resamples, seed
        self.metric = baseline[ENGLISH].metric
        self.scale = Scale.of(baseline[ENGLISH])

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
        self._check(masked)
        samples = [PairedScores(self._baseline[ENGLISH], [english for runs in masked.values() for _, english in runs])]
        samples += [
            PairedScores(self._baseline[language], [own for own, _ in runs]) for language, runs in masked.items()
        ]

        def deltas(*counts: Array) -> Array:
            """Return ∆Eng, ∆n-Eng and ∆: `[3, resamples]`."""
            changes = [sample.change(of_sample) for sample, of_sample in zip(samples, counts, strict=True)]
            eng, non_eng = self.scale.signed(changes[0]), self.scale.signed(np.mean(changes[1:], axis=0))
            return np.stack([eng, non_eng, eng - non_eng])

        sizes = [sample.size for sample in samples]
        delta_eng, delta_non_eng, delta = bootstrap(deltas, sizes, resamples=self._resamples, seed=self._seed)
        by_language = {
            language: language_score(self._baseline[language], self._baseline[ENGLISH], runs, self.scale)
            for language, runs in masked.items()
        }
        return Delta(
            eng=float(np.mean([score.english.masked for score in by_language.values()])),
            non_eng=float(np.mean([score.own.masked for score in by_language.values()])),
            delta_eng=delta_eng,
            delta_non_eng=delta_non_eng,
            delta=delta,
            by_language=by_language,
            by_seed=self._by_seed(masked),
            documents={language: len(self._baseline[language].documents) for language in (ENGLISH, *masked)},
        )

    def _check(self, masked: Masked) -> None:
        seeds = {len(runs) for runs in masked.values()}
        if len(seeds) != 1:
            raise ValueError(f"seeds differ between languages: {seeds}")

    def _by_seed(self, masked: Masked) -> tuple[float, ...]:
        """Return ∆ per seed."""
        baseline = self._baseline[ENGLISH].score - np.mean([self._baseline[language].score for language in masked])
        masked_scores = [[english.score - own.score for own, english in runs] for runs in masked.values()]
        by_seed = self.scale.signed(np.mean(masked_scores, axis=0) - baseline)
        return tuple(by_seed.tolist()) if len(by_seed) > 1 else ()
