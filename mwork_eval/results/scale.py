"""How a metric becomes the numbers of a table: factor, unit, and which direction is damage."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mwork_eval.results.main_metric import factor_and_unit
from mwork_eval.results.task_score import TaskScore

_Number = TypeVar("_Number", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class Scale:
    """The scale of a metric.

    Attributes:
        factor: What a score is multiplied by.
        unit: The unit a reader sees.
        higher_is_better: Whether a higher score is better.
    """

    factor: float
    unit: str
    higher_is_better: bool

    @classmethod
    def of(cls, score: TaskScore) -> "Scale":
        """Return the scale of a score, by the rule that all reports share."""
        # A document whose numerator is within its denominator is a share of it.
        values = (n / d if d else math.nan for n, d in score.documents)
        return cls(*factor_and_unit(score.metric, values), score.higher_is_better)

    def signed(self, change: _Number) -> _Number:
        """Scale a change of a score and sign it so that negative means damage."""
        return self.factor * (change if self.higher_is_better else -change)
