"""The tokens of a text as the model begins one."""

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
