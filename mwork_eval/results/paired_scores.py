"""Scores of the same documents before and after something was done to the model."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Array


class PairedScores:
    """The documents of one task in one language, with their scores before and after, the latter once per run."""

    def __init__(self, before: TaskScore, after: Sequence[TaskScore], language: str = "") -> None:
        """Pair them.

        Args:
            before: The score before.
            after: The scores after.
            language: Tells the documents of tasks apart whose clusters are not known.

        Raises:
            InputError: If they are of different documents.
        """
        for score in after:
            found, expected = len(score.documents), len(before.documents)
            if found != expected or score.documents_digest != before.documents_digest:
                raise InputError(
                    "the scores before and after are of different documents, prompts or right answers",
                    found=f"{found} documents after and {expected} before",
                    hint="compute them anew in another folder",
                )
        columns = np.array([score.documents for score in (before, *after)], dtype=float)
        self._numerators, self._denominators = columns[..., 0], columns[..., 1]  # [1 + runs, documents]
        self.keys = cluster_keys(before, language)

    @cached_property
    def changes(self) -> Array:
        """What each run changed: `[runs]`."""
        scores = self._numerators.sum(1) / self._denominators.sum(1)
        changes: Array = scores[1:] - scores[0]
        return changes

    @cached_property
    def shares(self) -> Array:
        """The share of the denominator that each document has, before: `[documents]`."""
        shares: Array = self._denominators[0] / self._denominators[0].sum()
        return shares

    @cached_property
    def contributions(self) -> Array:
        """What each document adds to each run's change beyond its share of it: `[runs, documents]`, sum 0.

        The score is a ratio of sums, linearised (Cochran 1977, Section 6.4).
        """
        totals = self._denominators.sum(1, keepdims=True)
        scores = self._numerators.sum(1, keepdims=True) / totals
        parts = (self._numerators - scores * self._denominators) / totals
        found: Array = parts[1:] - parts[0]
        return found

    @cached_property
    def own_changes(self) -> Array:
        """The change of each document's own score in each run: `[runs, documents]`."""
        scores = np.divide(
            self._numerators, self._denominators, out=np.zeros_like(self._numerators), where=self._denominators > 0
        )
        found: Array = scores[1:] - scores[0]
        return found


def cluster_keys(score: TaskScore, language: str) -> tuple[str, ...]:
    """Return a key per document; where clusters are not known, each document has one of its own."""
    return score.clusters or tuple(f"\0{language} {number}" for number in range(len(score.documents)))
