"""Which channels of a head rotate together, found by calling the rotary function that an attention module uses."""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

import torch
from torch import nn

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
