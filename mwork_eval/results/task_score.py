"""The score of one task, kept document by document."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

TRUNCATED = "truncated,none"
"""Among the metrics, the number of documents whose prompt lost its beginning because the model takes no more."""


@dataclass(frozen=True)
class TaskScore:
    """What a model scored on one task.

    Attributes:
        metric: Name of the main metric, such as `acc,none`.
        higher_is_better: Whether a higher score is better.
        documents: Per document, numerator and denominator; the score is the ratio of their sums. An accuracy
            has denominators of 1, bits per byte has the bits and the bytes.
        metrics: All aggregated metrics lm-eval gave.
        documents_digest: Digest of lm-eval's hashes of the documents, prompts and right answers, in order.
        clusters: Per document, the key of what it belongs to (its paragraph, or the item it translates); documents of
            one key, also in other languages, are drawn together. Empty if not known: each is taken by itself.
    """

    metric: str
    higher_is_better: bool
    documents: tuple[tuple[float, float], ...]
    metrics: Mapping[str, float]
    documents_digest: str = ""
    clusters: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The main score over all documents."""
        return sum(n for n, _ in self.documents) / sum(d for _, d in self.documents)

    @property
    def standard_error(self) -> float | None:
        """The standard error of the main score over its documents, by cluster; None for a single cluster.

        The score is a ratio of two sums, whose error is that of its linearisation (Cochran 1977, Section 6.4). Where
        every document counts one, it is the standard error of the mean that lm-eval gives.
        """
        numbers = np.asarray(self.documents, float)
        _, clusters = np.unique(self.clusters or range(len(numbers)), return_inverse=True)
        residuals = np.bincount(clusters, numbers[:, 0] - self.score * numbers[:, 1])
        if (count := len(residuals)) < 2:
            return None
        return float(math.sqrt(count / (count - 1) * (residuals**2).sum()) / numbers[:, 1].sum())


def share_of_document(value: Any, metric: str) -> tuple[float, float] | None:
    """Return a document's numerator and denominator; None if it has no value of its own.

    Args:
        value: What lm-eval's sample holds; for bits per byte (log-likelihood, bytes).
        metric: Name of the metric without its filter.
    """
    if metric == "bits_per_byte" and value is not None:
        loglikelihood, size = value
        return -float(loglikelihood) / math.log(2), float(size)
    return (float(value), 1.0) if isinstance(value, int | float) else None


def lm_eval_digest(samples: Iterable[Mapping[str, Any]]) -> str:
    """Return lm-eval's digest of the documents, prompts and right answers of samples, as in its `task_hashes`.

    Raises:
        KeyError: If a sample has no hashes.
    """
    hashes = hashlib.sha256()
    for sample in samples:
        for part in ("doc", "prompt", "target"):
            hashes.update(str(sample[f"{part}_hash"]).encode())
    return hashes.hexdigest()
