"""How a model was asked, and by which engine it answered, and the words that tell one way from another."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.digests import canonical_json
from mwork_eval.lm.asking import ASKING

ENGINE = "engine"


def asking_of(model_args: Mapping[str, Any], engine: str | None = None) -> dict[str, str]:
    """Return how a model is asked.

    Args:
        model_args: Its arguments; those that say nothing of it make it another model.
        engine: Name of the engine that answers; None for transformers.
    """
    given = {name: model_args[name] for name in ASKING if model_args.get(name) is not None}
    given |= {} if engine is None else {ENGINE: engine}
    return {name: value if isinstance(value, str) else canonical_json(value) for name, value in given.items()}


def asking_in_words(asking: Mapping[str, str]) -> tuple[str, ...]:
    """Return what `asking_of` gives in words, such as `max_length=512`."""
    return tuple(f"{name}={value}" for name, value in asking.items())
