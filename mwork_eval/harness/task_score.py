"""The score of one task, kept document by document."""

from collections.abc import Mapping
from dataclasses import dataclass


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
    """

    metric: str
    higher_is_better: bool
    documents: tuple[tuple[float, float], ...]
    metrics: Mapping[str, float]
    documents_digest: str = ""

    @property
    def score(self) -> float:
        """The main score over all documents."""
        return sum(n for n, _ in self.documents) / sum(d for _, d in self.documents)
