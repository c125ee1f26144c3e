"""Batches of documents of about equal length, the same ones however the work is divided or resumed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

_WINDOW = 256
"""Documents read ahead and sorted by length. Only a window is in memory, so a corpus may be larger."""


@dataclass(frozen=True)
class Batch:
    """Documents that go through the model together.

    Attributes:
        numbers: Their places in the corpus, from 0.
        token_ids: Their tokens.
    """

    numbers: Sequence[int]
    token_ids: Sequence[list[int]]

    @property
    def tokens(self) -> int:
        """Number of tokens without padding."""
        return sum(map(len, self.token_ids))


def make_batches(documents: Iterable[list[int]], most_tokens: int) -> Iterator[Batch]:
    """Yield batches whose size with padding is at most ``most_tokens``; a longer document goes alone.

    Args:
        documents: Token ids of each, in the order of the corpus.
        most_tokens: Limit of tokens, padding included.
    """
    numbered = enumerate(documents)
    while window := list(islice(numbered, _WINDOW)):
        window.sort(key=lambda item: (len(item[1]), item[0]))
        batch: list[tuple[int, list[int]]] = []
        for item in window:
            if batch and (len(batch) + 1) * len(item[1]) > most_tokens:
                yield _batch(batch)
                batch = []
            batch.append(item)
        yield _batch(batch)


def _batch(items: Sequence[tuple[int, list[int]]]) -> Batch:
    numbers, token_ids = zip(*items, strict=True)
    return Batch(numbers, token_ids)
