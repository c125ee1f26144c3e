"""Scores of the same documents before and after something was done to the model."""

from collections.abc import Sequence

import numpy as np

from mwork_eval.ablation.statistics import Array
from mwork_eval.errors import InputError
from mwork_eval.harness.task_score import TaskScore


class PairedScores:
    """The documents of one task, with their scores before and after, the latter once per seed.

    Attributes:
        size: Number of documents.
    """

    def __init__(self, before: TaskScore, after: Sequence[TaskScore]) -> None:
        """Pair them.

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
        self._numerators, self._denominators = columns[..., 0].T, columns[..., 1].T  # [documents, 1 + seeds]
        self.size = len(before.documents)

    def change(self, counts: Array) -> Array:
        """Return the mean over seeds of after - before: `[resamples]`.

        Args:
            counts: How often each document counts, `[resamples, documents]`.
        """
        scores = (counts @ self._numerators) / (counts @ self._denominators)
        change: Array = scores[:, 1:].mean(1) - scores[:, 0]
        return change


def document_shares(scores: Sequence[TaskScore]) -> Array:
    """Return what each document adds to the mean of some scores: `[documents]`."""
    columns = np.array([score.documents for score in scores], dtype=float)  # [scores, documents, 2]
    shares: Array = columns[..., 0].mean(0) / columns[0, :, 1].sum()
    return shares


def weigh_alike(scores: Sequence[TaskScore]) -> bool:
    """Tell whether each document has one denominator in all scores; only then is a difference a sum over documents."""
    return len({tuple(weight for _, weight in score.documents) for score in scores}) == 1
