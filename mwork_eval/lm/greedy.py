"""Which arguments of generation still take the most probable token each time."""

from collections.abc import Mapping
from typing import Any

_GREEDY = {"do_sample": False, "temperature": 0.0}
# What changes the choice of the next token even without sampling, and the values that do not.
_PROCESSORS: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (None, 1.0),
    "encoder_repetition_penalty": (None, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "num_beams": (None, 1),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "guidance_scale": (None, 1.0),
    **dict.fromkeys(
        (
            "bad_words_ids",
            "sequence_bias",
            "suppress_tokens",
            "begin_suppress_tokens",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "exponential_decay_length_penalty",
            "watermarking_config",
        ),
        (None,),
    ),
}


def what_is_not_greedy(options: Mapping[str, Any], config: Any) -> str | None:
    """Return, in words, what makes generation choose otherwise than by the most probable token, or None.

    Args:
        options: A task's arguments of generation, without its stop sequences and length.
        config: The model's generation configuration.
    """
    others = {key: value for key, value in options.items() if _GREEDY.get(key, ...) != value}
    active = [name for name, neutral in _PROCESSORS.items() if getattr(config, name, None) not in neutral]
    if others:
        return f"the generation arguments {', '.join(sorted(others))}"
    return f"the model's own generation settings {', '.join(active)}" if active else None
