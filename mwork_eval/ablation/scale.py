"""How a metric becomes the numbers of a table: factor, unit, and which direction is damage."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mwork_eval.harness.task_score import TaskScore

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
        """Return the scale of a score: shares (0 to 1 in every document) in points, all else as lm-eval gives it."""
        if score.metric.startswith("bits_per_byte"):
            return cls(1.0, "bits per byte", score.higher_is_better)
        if all(0 <= n <= d for n, d in score.documents):
            return cls(100.0, "points", score.higher_is_better)
        return cls(1.0, "units", score.higher_is_better)

    def signed(self, change: _Number) -> _Number:
        """Scale a change of a score and sign it so that negative means damage."""
        return self.factor * (change if self.higher_is_better else -change)
