"""The spread of some numbers, such as those of the draws of a random control."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Some numbers: their mean, and the lowest and highest."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise numbers, at least one."""
        return cls(float(np.mean(values)), float(min(values)), float(max(values)))
