"""Further arguments of `mwork-hf` and lm-eval's `hf`, as users write them."""

import json
import re
from collections.abc import Collection, Mapping
from inspect import signature
from typing import Any

from mwork_eval.application.arguments import shown_value
from mwork_eval.digests import canonical_json
from mwork_eval.errors import InputError
from mwork_eval.lm.asking import ASKING
from mwork_eval.lm.model import MworkHF

_OWN = {
    "pretrained", "device", "dtype", "device_map", "parallelize", "revision", "batch_size", "neurons", "positions",
    "understanding_layers", "generation_layers", "random_control", "controls", "count", "force",
}  # fmt: skip
"""Arguments of `mwork-hf` that are arguments of every function that has them, or follow from one."""
_IN_MEMORY = {*ASKING, "fast", "memory", "max_batch_size", "logits_cache", "softmax_dtype", "mixed_precision_dtype"}
"""What can be said of a model that is loaded already."""
_KINDS: dict[str, tuple[type, str]] = {
    "add_bos_token": (bool, "true or false"),
    "trust_remote_code": (bool, "true or false"),
    "use_fast_tokenizer": (bool, "true or false"),
    "enable_thinking": (bool, "true or false"),
    "truncation": (bool, "true or false"),
    "max_length": (int, "a whole number from 1"),
    "max_batch_size": (int, "a whole number from 1"),
    "prefix_token_id": (int, "the number of a token"),
    "chat_template_args": (Mapping, "a mapping"),
}
"""Of which kind some arguments are; a wrong one would be met late, or never."""
_CREDENTIAL_NAMES = {
    *("token", "use_auth_token", "auth_token", "hf_token", "hub_token", "access_token", "api_token", "api_key"),
    *("auth", "credential", "credentials", "headers", "password", "proxies", "secret"),
}
_CREDENTIAL = re.compile(r"\bhf_[A-Za-z0-9]{16,}|://[^/\s@]+@")
"""A token of the hub, or an address with a password."""


def model_args_of(given: Any, *, in_memory: bool, tokenizer: Any = None) -> dict[str, Any]:
    """Return further arguments of `mwork-hf`, checked as far as they can be before a model loads.

    Args:
        given: What was given: a mapping, or None.
        in_memory: Whether the model is in memory.
        tokenizer: The tokenizer that was given, or None.

    Raises:
        InputError: If it is no mapping, or names what has an argument of its own or cannot be said of a loaded model,
            or a value is of another kind, or what would be written to files is a secret.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InputError("unusable model_args", found=shown_value(given), expected="a mapping")
    check_no_credentials(given)
    check_not_twice(given, {*_OWN, *(["tokenizer"] if tokenizer is not None else [])})
    for name, (kind, expected) in _KINDS.items():
        value = given.get(name)
        if value is not None and not (isinstance(value, kind) and _is_usable(name, value, kind)):
            raise InputError(f"unusable {name} among model_args", found=shown_value(value), expected=expected)
    if in_memory and (unknown := sorted(given.keys() - _IN_MEMORY)):
        raise InputError(
            "these model_args are of a model that is loaded by its name",
            found=" ".join(unknown),
            expected=f"of one in memory some of {' '.join(sorted(_IN_MEMORY))}",
        )
    return dict(given)


def _is_usable(name: str, value: Any, kind: type) -> bool:
    """Tell whether a whole number is one, and not too small; any other value of its kind is usable."""
    return kind is not int or (not isinstance(value, bool) and value >= int(name.startswith("max")))


def check_no_credentials(given: Mapping[str, Any]) -> None:
    """Check that no argument is a secret: manifests, reports and results of lm-eval tell a model's arguments.

    Raises:
        InputError: If one is; it names the argument and not its value.
    """
    if secret := sorted(name for name, value in given.items() if _is_credential(name, value)):
        raise InputError(
            "model_args stand in results for everybody to read, and credentials must not",
            found=" ".join(secret),
            expected="none",
            hint="set the environment variable HF_TOKEN, or log in with `hf auth login`",
        )


def _is_credential(name: str, value: Any) -> bool:
    """Tell whether a value is a secret; `token=True` and None say where to look for one."""
    if value is None or isinstance(value, bool):
        return False
    if name.lower() in _CREDENTIAL_NAMES:
        return True
    if isinstance(value, Mapping):
        return any(_is_credential(str(inner), of_it) for inner, of_it in value.items())
    if isinstance(value, list | tuple | set):
        return any(_is_credential("", one) for one in value)
    return isinstance(value, str) and _CREDENTIAL.search(value) is not None


def check_not_twice(given: Mapping[str, Any], own: Collection[str]) -> None:
    """Check that no argument of `mwork-hf` is given that has an argument of its own.

    Raises:
        InputError: If one is.
    """
    if twice := sorted(given.keys() & {*own}):
        raise InputError(
            "model_args are further arguments of mwork-hf",
            found=" ".join(twice),
            expected="these as arguments of their own, or not at all",
        )


def check_known_in_memory(given: Mapping[str, Any]) -> None:
    """Check that a model in memory is given no argument that nobody knows.

    Of a model that is loaded, what `mwork-hf` does not know goes on to transformers.

    Raises:
        InputError: If it is.
    """
    accepted = {name for kind in MworkHF.__mro__ for name in signature(kind.__init__).parameters}
    if unknown := sorted(given.keys() - accepted):
        raise InputError(
            "unknown model_args", found=" ".join(unknown), expected="arguments of mwork-hf or lm-eval's hf"
        )


def shown_model_args(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as JSON values; what JSON does not know as `str` shows it."""
    shown: dict[str, Any] = json.loads(canonical_json(dict(given)))
    return shown
