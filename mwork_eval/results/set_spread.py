"""How much ∆ depends on the documents that the neurons were detected in: arithmetic on scores, no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.deltas import Masked, MaskEffect
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.spread import Spread


@dataclass(frozen=True)
class SetSpread:
    """∆ with the sets of random halves of the detection documents.

    Attributes:
        by_draw: ∆ with the sets of each draw.
        spread: Their mean, lowest and highest.
        standard_error: Of ∆ with the sets of all documents, over the documents to detect in.
    """

    by_draw: tuple[float, ...]
    spread: Spread
    standard_error: float


def set_spread(
    baseline: Mapping[str, TaskScore], whole: float, draws: Sequence[Masked], pivot: str = ENGLISH
) -> SetSpread:
    """Compare ∆ with the sets of random halves to ∆ with those of all documents.

    The standard error is the delete-half jackknife's: the root of the mean squared difference (Shao and Wu 1989,
    Annals of Statistics 17; with halves deleted its factor is 1).

    Args:
        baseline: Per language, the score without a mask; the pivot's among them.
        whole: ∆ with the sets of all documents, in the unit of the metric.
        draws: Per draw, at least one, the scores under the masks of its sets: one mask per language.
        pivot: The language that the others are compared with.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    scale = Scale.of(baseline[pivot])
    deltas = np.concatenate([MaskEffect(baseline, masked, scale, pivot).deltas for masked in draws])
    return SetSpread(
        by_draw=tuple(deltas.tolist()),
        spread=Spread.of(deltas.tolist()),
        standard_error=float(np.sqrt(np.mean((deltas - whole) ** 2))),
    )
