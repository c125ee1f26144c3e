"""How the damage grows with the number of neurons: arithmetic on scores, no model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.deltas import DeltaCalculator, Masked
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.statistics.spread import Spread


@dataclass(frozen=True)
class ControlBands:
    """What as many random neurons do, draw by draw.

    Attributes:
        own: Change of the masked languages.
        english: Change of the pivot, English unless another was chosen, under the same masks.
        delta: ∆ = pivot - own.
        draws: Number of draws.
    """

    own: Spread
    english: Spread
    delta: Spread
    draws: int


@dataclass(frozen=True)
class DosePoint:
    """What so many neurons do; changes are signed so that negative means damage.

    Attributes:
        language: The mask language; None for the mean over all.
        count: Neurons deactivated per language.
        own: Change of the language under its own mask.
        english: Change of the pivot, English unless another was chosen, under the same mask.
        delta: ∆ = pivot - own.
        control: What random controls of this size do; None while they are missing or if there are none.
    """

    language: str | None
    count: int
    own: Estimate
    english: Estimate
    delta: Estimate
    control: ControlBands | None


def dose_points(
    baseline: Mapping[str, TaskScore], masked: Masked, control: Masked, count: int, pivot: str = ENGLISH
) -> list[DosePoint]:
    """Return what one number of neurons does: the mean over languages first if there are several, then each language.

    Args:
        baseline: Per language, the score without a mask; the pivot's among them.
        masked: The scores under the masks of that number of neurons.
        control: Those under random controls of that number; empty if there are none.
        count: The number.
        pivot: The language that the others are compared with.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    groups: list[tuple[str | None, list[str]]] = [(None, list(masked))] if len(masked) > 1 else []
    groups += [(language, [language]) for language in masked]
    points = []
    for name, languages in groups:
        # Only what is asked about: another language's documents must not widen or narrow an interval.
        calculator = DeltaCalculator({language: baseline[language] for language in (pivot, *languages)}, pivot)
        delta = calculator.delta({language: masked[language] for language in languages})
        of_group = {language: control[language] for language in languages} if control else {}
        bands = _bands(baseline, of_group, calculator, pivot) if of_group else None
        points.append(DosePoint(name, count, delta.delta_non_eng, delta.delta_eng, delta.delta, bands))
    return points


def _bands(baseline: Mapping[str, TaskScore], control: Masked, calculator: DeltaCalculator, pivot: str) -> ControlBands:
    own = [[mine.score - baseline[language].score for mine, _ in runs] for language, runs in control.items()]
    compared = [[score.score - baseline[pivot].score for _, score in runs] for runs in control.values()]
    # [draws] each, the mean over languages
    of_own, of_pivot = (calculator.scale.signed(np.mean(changes, axis=0)) for changes in (own, compared))
    return ControlBands(
        own=Spread.of(of_own.tolist()),
        english=Spread.of(of_pivot.tolist()),
        delta=Spread.of((of_pivot - of_own).tolist()),
        draws=len(of_own),
    )
