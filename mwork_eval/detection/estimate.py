"""What a detection will cost, from the corpora and the model's configuration, before any weight is loaded."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from mwork_eval.detection.corpus.batches import make_batches
from mwork_eval.detection.corpus.documents import DocumentStream
from mwork_eval.detection.detect import DetectOptions, batch_tokens
from mwork_eval.detection.recording.memory import check_rows
from mwork_eval.models.layout import Layout

_PRODUCTS = 14
"""Matrix products of a block of attention weights with per-key vectors, for the exact scores of q and k."""


@dataclass(frozen=True)
class DetectionCost:
    """The cost of scoring one corpus.

    Attributes:
        language: Its language.
        documents: Usable documents.
        tokens: Their tokens.
        batches: Forward passes.
        operations: Floating-point operations of forward passes and scores.
    """

    language: str
    documents: int
    tokens: int
    batches: int
    operations: float

    def seconds(self, speed: float) -> float:
        """Return the time at a speed in operations per second."""
        return self.operations / speed


def estimate_cost(layout: Layout, stream: DocumentStream, options: DetectOptions) -> DetectionCost:
    """Read a corpus and count what scoring it takes, and what is recorded beside the scores.

    Raises:
        InputError: If the corpus is unusable, or a row for each of its documents does not fit into memory.
    """
    check_rows(layout.shape, stream, options.recorded, options.memory)
    there_and_back = _there_and_back(layout) if "attributions" in options.recorded else 0
    attention = sum(one.heads.query * one.heads.width for of_layer in layout.attentions for one in of_layer)
    batches, operations = 0, 0.0
    for batch in make_batches(stream, batch_tokens(layout, options.memory // 2)):
        batches += 1
        padded = max(map(len, batch.token_ids)) * len(batch.token_ids)
        operations += 2 * layout.weights_per_token * padded
        pairs = sum(len(tokens) ** 2 for tokens in batch.token_ids) / 2
        operations += 2 * attention * pairs * (2 + _PRODUCTS)
        operations += there_and_back * batch.tokens
    return DetectionCost(stream.corpus.language, stream.kept, stream.tokens, batches, operations)


def _there_and_back(layout: Layout) -> int:
    """Return the operations per token of a pass with log-probabilities and back along the activations alone."""
    head: Any = layout.model.get_output_embeddings()  # type: ignore[operator]
    vocabulary = 0 if head is None else head.weight.numel()
    return 2 * 2 * (layout.weights_per_token + vocabulary)


def measure_speed(device: torch.device, dtype: str) -> float:
    """Measure how many operations of a matrix product a device does per second, in a fraction of a second."""
    size = 1024
    left, right = torch.randn(2, size, size, device=device, dtype=getattr(torch, dtype))
    (left @ right).sum().item()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 0.3:
        (left @ right).sum().item()
        count += 1
    return 2 * size**3 * count / (time.perf_counter() - start)
