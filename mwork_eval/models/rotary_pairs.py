"""Which channels of a head rotate together, found by calling the rotary function that an attention module uses."""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

Tensor = torch.Tensor

Pairs = Literal["half", "interleaved", "unknown"]
"""`half`: channel i with i + d/2. `interleaved`: channel 2i with 2i + 1."""

_WIDTH = 8
_ROTARY = ("rotary", "rope")


def rotary_pairs(module: nn.Module, *, interleaved: bool | None = None) -> Pairs | None:
    """Return how the channels of a head are paired, or None if no rotary function is used.

    Args:
        module: An attention module.
        interleaved: What the configuration says of it, for code that has a function for either.
    """
    functions = list(_functions(type(module)))
    found = {pairs for one in functions if (pairs := _pairs_of(one)) != "unknown"}
    if len(found) > 1 and interleaved is not None:
        return "interleaved" if interleaved else "half"
    if len(found) == 1:
        return found.pop()
    return "unknown" if functions or _mentions(type(module)) else None


def _codes(module_class: type) -> Iterator[Any]:
    for owner in module_class.__mro__:
        if owner is nn.Module:
            return
        for value in vars(owner).values():
            inner = inspect.unwrap(value) if callable(value) else value
            if hasattr(inner, "__code__"):
                yield inner


def _functions(module_class: type) -> Iterator[Callable[..., Any]]:
    seen: set[int] = set()
    for method in _codes(module_class):
        for name in method.__code__.co_names:
            value = method.__globals__.get(name) or getattr(sys.modules.get(module_class.__module__), name, None)
            if _is_rotary(name) and inspect.isfunction(value) and id(value) not in seen:
                seen.add(id(value))
                yield value


def _mentions(module_class: type) -> bool:
    return any(_is_rotary(name) for method in _codes(module_class) for name in method.__code__.co_names)


def _is_rotary(name: str) -> bool:
    return any(word in name.lower() for word in _ROTARY)


@cache
def _pairs_of(function: Callable[..., Any]) -> Pairs:
    """Tell the pairs by which input channels show in the same output channels."""
    names = [one.name for one in inspect.signature(function).parameters.values() if one.default is one.empty]
    for width in (_WIDTH, _WIDTH // 2):
        try:
            with torch.device("cpu"):  # also where a model is made without weights
                shows = [_shown(function, names, channel, width) for channel in range(_WIDTH)]
        except Exception:  # of code that is not ours, called with tensors of a shape it may not take
            continue
        partners = [channel for channel in range(1, _WIDTH) if shows[channel] & shows[0]]
        if partners == [_WIDTH // 2]:
            return "half"
        if partners == [1]:
            return "interleaved"
    return "unknown"


def _shown(function: Callable[..., Any], names: list[str], channel: int, width: int) -> set[int]:
    state = torch.zeros(1, 1, 1, _WIDTH)
    state[..., channel] = 1.0
    angles = torch.full((1, 1, width), 0.5**0.5)
    turns = torch.polar(torch.ones(1, 1, _WIDTH // 2), torch.full((1, 1, _WIDTH // 2), torch.pi / 4))

    def argument(name: str) -> Any:
        if name in ("cos", "sin"):
            return angles
        return turns if "freqs" in name else state

    with torch.no_grad():
        found = function(*map(argument, names))
    rotated = found[0] if isinstance(found, tuple) else found
    if rotated.numel() != _WIDTH:
        raise ValueError("another shape")
    return set(rotated.flatten().abs().gt(1e-3).nonzero().flatten().tolist())


class _Uses(TorchFunctionMode):
    """Notices operations on certain tensors."""

    def __init__(self, tensors: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.used = False
        self._own = {id(tensor) for tensor in tensors}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (*args, *(kwargs or {}).values())
        self.used = self.used or any(isinstance(one, Tensor) and id(one) in self._own for one in given)
        return func(*args, **(kwargs or {}))


def uses_rotation(decoder: Any, module: nn.Module, layer_type: str | None) -> bool | None:
    """Say whether an attention module rotates queries and keys, by running it on a few states; None if that fails.

    Layers of one class may or may not. The model may live on the meta device; no number is looked at.

    Args:
        decoder: The text decoder, whose rotary module makes the angles.
        module: An attention module of it.
        layer_type: What the configuration calls the layer's attention, or None.
    """
    rotary = next((child for name, child in decoder.named_children() if _is_rotary(name)), None)
    weight = next((one for one in module.parameters() if one.ndim == 2 and one.is_floating_point()), None)
    accepts = inspect.signature(module.forward).parameters
    if rotary is None or weight is None or "position_embeddings" not in accepts:
        return None
    states = torch.zeros(1, 2, int(decoder.config.hidden_size), dtype=weight.dtype, device=weight.device)
    positions = torch.arange(2, device=weight.device)[None]
    extra = {"layer_type": layer_type} if "layer_type" in inspect.signature(rotary.forward).parameters else {}
    needed: dict[str, Any] = {
        name: None for name in ("attention_mask", "past_key_values", "position_ids") if name in accepts
    }
    needed |= {"shared_kv_states": {}} if "shared_kv_states" in accepts else {}
    seen = None
    try:
        with torch.no_grad():
            angles = rotary(states, positions, **extra)
            seen = _Uses(angles if isinstance(angles, tuple) else (angles,))
            with seen:
                module(states, position_embeddings=angles, **needed)
    except Exception:  # of code that is not ours, which may need more than this
        return True if seen is not None and seen.used else None
    return seen.used
