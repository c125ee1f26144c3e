"""What arguments of a model say of how it was asked, and the words that tell one way from another."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.digests import canonical_json
from mwork_eval.lm.asking import ASKING


def asking_of(model_args: Mapping[str, Any]) -> dict[str, str]:
    """Return, of the arguments of a model, those that say how it is asked; others make it another model."""
    given = {name: model_args[name] for name in ASKING if model_args.get(name) is not None}
    return {name: value if isinstance(value, str) else canonical_json(value) for name, value in given.items()}


def asking_in_words(asking: Mapping[str, str]) -> tuple[str, ...]:
    """Return what `asking_of` gives in words, such as `max_length=512`."""
    return tuple(f"{name}={value}" for name, value in asking.items())
