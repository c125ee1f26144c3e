"""Hooks that change what goes into a module or comes out of it: one a module, which makes its changes in order."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor
StateChange = Callable[[Tensor], Tensor]
"""Takes states `[..., channels]` and returns others of their shape; it leaves those it is given as they are."""


def change_output(module: nn.Module, change: StateChange, undo: ExitStack[bool | None], *, last: bool = False) -> None:
    """Change what a module returns until a stack is closed.

    Hooks that are there already see the changed output, as they would see that of changed weights.

    Args:
        module: The module.
        change: What is made of its output.
        undo: Takes the change off.
        last: Whether it comes after the changes that are not last, also after those that are made later.
    """
    changes = _changes_of(module._forward_hooks.values(), _OutputChanges)
    if changes is None:
        changes = _OutputChanges()
        changes.handle = module.register_forward_hook(changes, prepend=True)
    changes.add(change, undo, last=last)


def change_input(module: nn.Module, change: StateChange, undo: ExitStack[bool | None], *, last: bool = False) -> None:
    """Change what a module is called with until a stack is closed; otherwise as `change_output`."""
    changes = _changes_of(module._forward_pre_hooks.values(), _InputChanges)
    if changes is None:
        changes = _InputChanges()
        changes.handle = module.register_forward_pre_hook(changes)
    changes.add(change, undo, last=last)


def _changes_of(hooks: Any, kind: type[Any]) -> Any:
    return next((hook for hook in hooks if type(hook) is kind), None)


class _OfModules:
    """Changes of one module, those that come last behind the others, else in the order in which they began."""

    handle: Any

    def __init__(self) -> None:
        self._entries: list[tuple[bool, StateChange]] = []

    def add(self, change: StateChange, undo: ExitStack[bool | None], *, last: bool) -> None:
        entry = (last, change)
        self._entries = sorted([*self._entries, entry], key=lambda one: one[0])
        undo.callback(self._remove, entry)

    def _remove(self, entry: tuple[bool, StateChange]) -> None:
        self._entries = [one for one in self._entries if one is not entry]
        if not self._entries:
            self.handle.remove()

    def changed(self, states: Tensor) -> Tensor:
        for _, change in self._entries:
            states = change(states)
        return states


class _OutputChanges(_OfModules):
    def __call__(self, _: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
        return self.changed(output)


class _InputChanges(_OfModules):
    def __call__(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return self.changed(args[0]), *args[1:]
