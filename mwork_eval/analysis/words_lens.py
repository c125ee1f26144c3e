"""Method `words`: the probability of a word in the pivot, such as English, and in the query's language, by layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from mwork_eval.analysis.layer_states import Tensor, find_head, read_layers
from mwork_eval.analysis.shares import Curves, estimate_shares
from mwork_eval.analysis.word_list import WordList
from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.models.final_norm import find_final_steps
from mwork_eval.models.layout import Layout
from mwork_eval.models.tokens import encode_text


@dataclass(frozen=True)
class WordQuery:
    """A prompt that asks for one word.

    Attributes:
        tokens: Token ids of the prompt.
        pivot: Tokens that begin the pivot's word.
        query: Tokens that begin the word in the query's language.
    """

    tokens: list[int]
    pivot: list[int]
    query: list[int]


class WordTokens:
    """The tokens of a vocabulary that begin a word."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def _by_text(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        ids = list(range(len(self._tokenizer)))
        for token, text in zip(ids, self._tokenizer.batch_decode([[token] for token in ids]), strict=True):
            found.setdefault(text.removeprefix(" "), []).append(token)
        return found

    def beginning(self, word: str) -> list[int]:
        """Return the tokens whose text is the word or a beginning of it, with or without a blank before it."""
        return [token for end in range(1, len(word) + 1) for token in self._by_text.get(word[:end], ())]


def word_queries(
    tokenizer: Any,
    lookup: WordTokens,
    words: WordList,
    language: str,
    kind: str,
    limit: int | None,
    pivot: str = ENGLISH,
) -> list[WordQuery]:
    """Return the prompts whose answer can be told from the pivot's word.

    A word is left out if a token begins both it and the pivot's word, or no token begins one of them (Wendler et al.
    2024, arXiv:2402.10588, leave such words out too).

    Args:
        tokenizer: The model's tokenizer.
        lookup: Its tokens by their text.
        words: The word list.
        language: Language of the answers.
        kind: Kind of prompt, as in `WordList.prompts`.
        limit: Number of first words, or None for all.
        pivot: The language that the answers' is compared with.

    Raises:
        InputError: If no word is left.
    """
    found = []
    for word, prompt in list(zip(words.words, words.prompts(language, kind, pivot), strict=True))[:limit]:
        other, query = lookup.beginning(word[pivot]), lookup.beginning(word[language])
        if other and query and not set(other) & set(query):
            found.append(WordQuery(encode_text(tokenizer, prompt), other, query))
    if not found:
        raise InputError(
            f"no word of {language} can be told from {Pivot(pivot).name} by its first token",
            found=f"a vocabulary of {len(tokenizer)} tokens",
            expected="tokens longer than a byte",
        )
    return found


def look_at_words(
    layout: Layout,
    queries: Sequence[WordQuery],
    *,
    language: str,
    masked: str | None,
    advance: Callable[[int], None],
    pivot: str = ENGLISH,
) -> Curves:
    """Measure, in every layer at the last position, the probability of the word in both languages.

    Args:
        layout: The model, masked or not.
        queries: The prompts.
        language: Language of the answers.
        masked: What is deactivated, for the result.
        advance: Called with the number of prompts just done.
        pivot: The language that the answers' is compared with.

    Raises:
        InputError: If the model has no output head, or its final norm is not where it should be.
    """
    head, steps = find_head(layout), find_final_steps(layout)
    found = []
    for query in queries:
        asked = torch.tensor(query.pivot + query.query, device=layout.device)
        where = torch.zeros_like(asked)

        def read(states: Tensor, asked: Tensor = asked, where: Tensor = where, query: WordQuery = query) -> list[float]:
            chances = head.choices(states, where.to(states.device), asked.to(states.device)).log_probability.exp()
            other = float(chances[: len(query.pivot)].sum())
            own = float(chances[len(query.pivot) :].sum())
            return [other, own, 1 - other - own]

        found.append(read_layers(layout, query.tokens, read, last=True, steps=steps))
        advance(1)
    parts = np.array(found, dtype=float)  # [words, layers, classes]
    shares = estimate_shares(parts, np.ones(parts.shape[:2]))
    classes = (Pivot(pivot).role, "query", "neither")
    return Curves(language, masked, classes, shares, parts.sum(0), None, len(queries), pivot)
