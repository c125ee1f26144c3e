"""The documents to train on, and those that are kept for judging."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mwork_eval.detection.corpus.sources import AnyCorpus
from mwork_eval.errors import InputError
from mwork_eval.models.tokens import encode_text

HELD_OUT = 32
"""Documents on which the loss is measured and early stopping decides."""
LEAST_TOKENS = 16
_DRAW = 0
"""Seed of the draw from the corpus."""


@dataclass(frozen=True)
class TrainingText:
    """The documents of one language.

    Attributes:
        training: Token ids of each document to train on.
        held_out: Token ids of documents for the loss.
        digests: What each document is known by, the held-out ones first.
        name: Name of the corpus.
    """

    training: Sequence[Sequence[int]]
    held_out: Sequence[Sequence[int]]
    digests: Sequence[str]
    name: str


def read_training_text(corpus: AnyCorpus, tokenizer: Any, *, count: int, max_tokens: int) -> TrainingText:
    """Draw documents at random: the held-out ones, then those to train on; the same ones every time.

    Corpora are often sorted by source: the first documents would be of another kind than the rest. Short documents
    (below 16 tokens) and repeated ones are left out.

    Args:
        corpus: The corpus.
        tokenizer: The model's tokenizer.
        count: Documents to train on.
        max_tokens: Tokens kept of each.

    Raises:
        InputError: If the corpus has too few documents.
    """
    seen: set[str] = set()
    found: list[tuple[str, list[int]]] = []
    for text in corpus.documents(_DRAW):
        digest = document_digest(text)
        tokens = encode_text(tokenizer, text)[:max_tokens]
        if digest not in seen and len(tokens) >= LEAST_TOKENS:
            found.append((digest, tokens))
        seen.add(digest)
        if len(found) == HELD_OUT + count:
            break
    if len(found) < HELD_OUT + count:
        raise InputError(
            f"the corpus {corpus.source} has too few documents",
            found=f"{len(found)} usable ones",
            expected=f"{HELD_OUT} to judge by and {count} to train on",
            hint="give fewer `documents`, or a longer corpus",
        )
    training = found[HELD_OUT:]
    return TrainingText(
        [tokens for _, tokens in training],
        [tokens for _, tokens in found[:HELD_OUT]],
        [digest for digest, _ in found],
        corpus.name,
    )


def document_digest(text: str) -> str:
    """Return what a document is known by: 64 bits of a digest of its text without the kind of white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def shuffled(documents: Sequence[Sequence[int]], seed: int) -> list[Sequence[int]]:
    """Return documents in an order that the seed decides."""
    order = list(documents)
    random.Random(seed).shuffle(order)
    return order


def interleaved(texts: Sequence[TrainingText]) -> TrainingText:
    """Return the documents of several languages as one text, one of each language in turn."""
    return TrainingText(
        [tokens for turn in zip(*(text.training for text in texts), strict=True) for tokens in turn],
        [tokens for text in texts for tokens in text.held_out],
        [digest for text in texts for digest in text.digests],
        " and ".join(text.name for text in texts),
    )
