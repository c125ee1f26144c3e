"""A short text that a model is tried on."""

from typing import Any

import torch

from mwork_eval.detection.verification import TOKENS
from mwork_eval.models.layout import Layout
from mwork_eval.models.tokens import encode_text, kept_tokenizer
from mwork_eval.resources import embedded_folder

_LANGUAGES = ("en", "zh")


def tokens_to_try(layout: Layout, tokenizer: Any, count: int = TOKENS) -> list[int]:
    """Return tokens of the embedded texts, half English and half Chinese, or random ones without a tokenizer.

    Args:
        layout: The model.
        tokenizer: Its tokenizer; None if it has none, or none is at hand.
        count: How many tokens.
    """
    vocabulary = int(layout.model.get_input_embeddings().weight.shape[0])  # type: ignore[operator,union-attr]
    if tokenizer is not None:
        share = -(-count // len(_LANGUAGES))
        found: list[int] = []
        with kept_tokenizer(tokenizer):
            for language in _LANGUAGES:
                text = (embedded_folder() / "corpus" / f"{language}.txt").read_text(encoding="utf-8")
                found += encode_text(tokenizer, text[: 20 * share])[:share]
        if len(found) >= count // 2 and max(found) < vocabulary:
            return found[:count]
    generator = torch.Generator().manual_seed(0)
    return torch.randint(vocabulary, (count,), generator=generator).tolist()
