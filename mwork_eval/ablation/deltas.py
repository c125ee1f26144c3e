"""∆Eng, ∆n-Eng and ∆ with bootstrap intervals: arithmetic on scores, no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mwork_eval.harness.task_score import TaskScore
from mwork_eval.languages import ENGLISH

RESAMPLES = 2000
LEVEL = 0.95

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its percentile bootstrap interval.

    Attributes:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


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
        by_language: Per mask language, its own difference and that of English.
        by_seed: ∆ of each seed of a random control; empty for language-specific settings.
        documents: Number of documents per language.
    """

    eng: float
    non_eng: float
    delta_eng: Estimate
    delta_non_eng: Estimate
    delta: Estimate
    by_language: Mapping[str, tuple[float, float]]
    by_seed: tuple[float, ...]
    documents: Mapping[str, int]


@dataclass(frozen=True)
class Scale:
    """How a metric becomes a difference: its factor and the unit a reader sees."""

    factor: float
    unit: str

    @classmethod
    def of(cls, score: TaskScore) -> "Scale":
        """Return the scale of a score: shares (0 to 1 in every document) in points, all else as lm-eval gives it."""
        if score.metric.startswith("bits_per_byte"):
            return cls(1.0, "bits per byte")
        if all(0 <= n <= d for n, d in score.documents):
            return cls(100.0, "points")
        return cls(1.0, "units")


class DeltaCalculator:
    """Computes the deltas of one benchmark from its baseline scores.

    The same resampled documents are used for baseline and masked scores, for every setting and for every mask
    on English, so that differences are paired.
    """

    def __init__(self, baseline: Mapping[str, TaskScore], seed: int = 0) -> None:
        """Draw the resamples.

        Args:
            baseline: Per language, the score without a mask; English among them.
            seed: Seed of the resampling.
        """
        self._baseline = baseline
        first = baseline[ENGLISH]
        self.metric, self.higher_is_better = first.metric, first.higher_is_better
        self.scale = Scale.of(first)
        generator = np.random.default_rng(seed)
        self._weights = {
            language: generator.multinomial(n, [1 / n] * n, size=RESAMPLES).astype(float)  # [resamples, documents]
            for language, score in baseline.items()
            for n in [len(score.documents)]
        }

    @cached_property
    def baseline(self) -> dict[str, float]:
        """Baseline score per language, scaled."""
        return {language: self.scale.factor * score.score for language, score in self._baseline.items()}

    def delta(self, masked: Mapping[str, Sequence[tuple[TaskScore, TaskScore]]]) -> Delta:
        """Compute the deltas of a setting.

        Args:
            masked: Per mask language, for each seed (one entry without seeds), the score of that language and
                the score of English under the mask.

        Raises:
            ValueError: If a masked score has other documents than its baseline, or seeds differ in number.
        """
        own = {language: [self._difference(language, mine) for mine, _ in runs] for language, runs in masked.items()}
        english = {language: [self._difference(ENGLISH, eng) for _, eng in runs] for language, runs in masked.items()}
        seeds = {len(runs) for runs in masked.values()}
        if len(seeds) != 1:
            raise ValueError(f"seeds differ between languages: {seeds}")
        # [languages, seeds, 1 + resamples]; the first column is the estimate itself
        non_eng, eng = np.array(list(own.values())), np.array(list(english.values()))
        by_seed = (eng - non_eng).mean(0)[:, 0]
        factor = self.scale.factor
        return Delta(
            eng=factor * float(np.mean([e.score for runs in masked.values() for _, e in runs])),
            non_eng=factor * float(np.mean([m.score for runs in masked.values() for m, _ in runs])),
            delta_eng=_estimate(eng.mean((0, 1))),
            delta_non_eng=_estimate(non_eng.mean((0, 1))),
            delta=_estimate((eng - non_eng).mean((0, 1))),
            by_language={
                language: (float(non_eng[i, :, 0].mean()), float(eng[i, :, 0].mean()))
                for i, language in enumerate(masked)
            },
            by_seed=tuple(by_seed.tolist()) if len(by_seed) > 1 else (),
            documents={language: len(self._baseline[language].documents) for language in (ENGLISH, *masked)},
        )

    def _difference(self, language: str, masked: TaskScore) -> Array:
        """Return masked - baseline, signed so that negative is damage: `[1 + resamples]`."""
        baseline = self._baseline[language]
        if len(masked.documents) != len(baseline.documents):
            raise ValueError(f"{len(masked.documents)} masked and {len(baseline.documents)} baseline documents")
        sign = self.scale.factor if self.higher_is_better else -self.scale.factor
        return sign * (self._resampled(language, masked) - self._resampled(language, baseline))

    def _resampled(self, language: str, score: TaskScore) -> Array:
        numerators, denominators = np.array(score.documents, float).T
        weights = self._weights[language]
        return np.concatenate([[score.score], (weights @ numerators) / (weights @ denominators)])


def _estimate(values: Array) -> Estimate:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(values[1:], [tail, 100 - tail])
    return Estimate(float(values[0]), float(low), float(high))
