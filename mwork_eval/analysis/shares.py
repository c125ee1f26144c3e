"""Shares of languages by layer, with intervals over queries, and where two curves cross."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.statistics.resampling import Array, Estimate, bootstrap


@dataclass(frozen=True)
class Curves:
    """What each layer says, by class of language.

    Attributes:
        language: Its tag.
        masked: What was deactivated, as in `under`; None for the whole model.
        classes: Names of the classes.
        shares: Per layer, per class, the share (0 to 1).
        amounts: Per layer, per class, the sum that the share is taken of: tokens, or probability `[layers, classes]`.
        tokens: Per layer, per class, the number of tokens `[layers, classes]`; None where none are counted.
        queries: Number of queries or words.
        pivot: The language that the queries' is compared with; its class is called `english`, else `pivot`.
    """

    language: str
    masked: str | None
    classes: tuple[str, ...]
    shares: list[list[Estimate]]
    amounts: Array
    tokens: Array | None
    queries: int
    pivot: str = ENGLISH

    def values(self, name: str) -> list[float]:
        """Return the shares of a class by layer."""
        column = self.classes.index(name)
        return [layer[column].value for layer in self.shares]

    def crossings(self) -> list[float]:
        """Return the layers, between layers as fractions, at which pivot and query change places."""
        return crossings(self.values(Pivot(self.pivot).role), self.values("query"))


def estimate_shares(parts: Array, wholes: Array) -> list[list[Estimate]]:
    """Return the shares by layer and class, with 95 % intervals over units (bootstrap).

    Args:
        parts: What each unit adds to each class `[units, layers, classes]`.
        wholes: What each unit adds to the whole `[units, layers]`.
    """
    units, layers, classes = parts.shape

    def statistic(counts: Array) -> Array:
        above = counts @ parts.reshape(units, -1)
        below = (counts @ wholes).repeat(classes, 1)
        return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0).T)

    estimates = bootstrap(statistic, [units])
    return [estimates[layer * classes : (layer + 1) * classes] for layer in range(layers)]


def crossings(first: list[float], second: list[float]) -> list[float]:
    """Return the layers, between layers as fractions, at which one curve overtakes the other.

    Curves are straight between layers. Where both are equal in between, it is the middle of those layers.
    """
    difference = np.subtract(first, second)
    (apart,) = np.nonzero(difference)
    return [
        float(start + difference[start] / (difference[start] - difference[end]))
        if end == start + 1
        else float(start + end) / 2
        for start, end in pairwise(apart)
        if difference[start] * difference[end] < 0
    ]
