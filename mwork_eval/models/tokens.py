"""The tokens of a text as the model begins one, from a tokenizer that stays as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def encode_text(tokenizer: Any, text: str, **options: Any) -> list[int]:
    """Return the token ids of a text, with what the tokenizer begins texts with once, also where the text brings it.

    Args:
        tokenizer: The model's tokenizer.
        text: The text.
        **options: Further arguments of the tokenizer, such as those of truncation.
    """
    bos = getattr(tokenizer, "bos_token", None)
    brings_it = bool(bos) and text.startswith(str(bos))
    return list(tokenizer(text, add_special_tokens=not brings_it, **options)["input_ids"])


@contextmanager
def kept_tokenizer(tokenizer: Any) -> Iterator[None]:
    """Give a tokenizer its settings back after a block: the padding token and side, which `hf` chooses, and truncation.

    A fast tokenizer keeps the truncation and padding of the last call in its backend, where a caller who encodes with
    the backend meets them.

    Args:
        tokenizer: A tokenizer; anything without such settings is left alone.
    """
    sides = {name: getattr(tokenizer, name) for name in ("pad_token", "padding_side") if hasattr(tokenizer, name)}
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    truncation, padding = getattr(backend, "truncation", None), getattr(backend, "padding", None)
    try:
        yield
    finally:
        for name, value in sides.items():
            setattr(tokenizer, name, value)
        if backend is not None:
            _ = backend.no_truncation() if truncation is None else backend.enable_truncation(**truncation)
            _ = backend.no_padding() if padding is None else backend.enable_padding(**padding)
