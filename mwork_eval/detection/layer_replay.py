"""Layers run again on what they got in one forward pass, to see what a change of their weights does.

Nothing here knows how scores are made: attention weights are seen where the model's own code takes the softmax (or has
torch take it), and outputs where its modules give them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mwork_eval.detection.softmaxes import Softmaxes
from mwork_eval.models.layout import Layout

Tensor = torch.Tensor
Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments of a layer, by position and by name."""
Shared = Mapping[str, Mapping[str, Any]]
"""By argument of layers, keys and values that one layer makes and others use."""


@dataclass(frozen=True)
class Seen:
    """What one run of a layer showed.

    Attributes:
        value: The attention weights `[1, H, l, l]`, or the output of a module.
        shared: By argument of layers, the keys and values that later layers use, as far as this layer made them.
    """

    value: Tensor
    shared: Shared = field(default_factory=dict)


class _ReachedError(Exception):
    """All that was asked for is seen."""


@contextmanager
def recorded(layers: Sequence[nn.Module]) -> Iterator[dict[int, Call]]:
    """PassRecord what layers are called with during a block.

    Args:
        layers: Any layers of a model.

    Yields:
        The arguments of each layer by its place among them; the first call counts.
    """
    calls: dict[int, Call] = {}

    def hook_of(number: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls.setdefault(number, (_mapped(args, torch.clone), _mapped(kwargs, torch.clone)))

        return hook

    with ExitStack() as hooks:
        for number, layer in enumerate(layers):
            handle = layer.register_forward_pre_hook(hook_of(number), with_kwargs=True)
            hooks.callback(handle.remove)
        yield calls


@contextmanager
def computing_in(
    layers: Sequence[nn.Module], dtype: torch.dtype, when_called: Sequence[nn.Module] = ()
) -> Iterator[Callable[[Tensor], Tensor]]:
    """Let layers compute in another dtype during a block; then they have the very tensors back that they had.

    Args:
        layers: The layers.
        dtype: The dtype.
        when_called: Modules within them that take memory for it only if they are called; nobody writes to them.

    Yields:
        What takes a view of a parameter, made before, to the same view of what is computed with meanwhile.
    """
    before: list[tuple[Tensor, Tensor]] = []
    offsets: dict[int, int] = {}

    def convert(values: Iterable[Tensor]) -> None:
        with torch.inference_mode(False):
            for value in values:
                if value.is_floating_point() and value.dtype != dtype:
                    offsets[id(value)] = int(value.storage_offset())
                    before.append((value, value.data))
                    value.data = value.data.to(dtype)

    def moved(view: Tensor) -> Tensor:
        base = view if view._base is None else view._base
        if view is base or id(base) not in offsets:
            return view
        start = base.storage_offset() + view.storage_offset() - offsets[id(base)]
        return base.detach().as_strided(view.size(), view.stride(), start)

    with ExitStack() as hooks:
        for module in when_called:
            hooks.callback(module.register_forward_pre_hook(lambda one, _: convert(_tensors_of([one]))).remove)
        waiting = {id(value) for value in _tensors_of(when_called)}
        try:
            convert(value for value in _tensors_of(layers) if id(value) not in waiting)
            yield moved
        finally:
            for value, own in before:
                value.data = own


def _tensors_of(modules: Sequence[nn.Module]) -> Iterator[Tensor]:
    for module in modules:
        yield from module.parameters()
        yield from module.buffers()


class LayerReplay:
    """Layers of a model that can be run again, one at a time.

    Attributes:
        layout: The model.
    """

    def __init__(self, layout: Layout, calls: Mapping[int, Call], tokens: int, dtype: torch.dtype) -> None:
        """Take what layers were called with, under eager attention and without a cache.

        Args:
            layout: The model.
            calls: By layer.
            tokens: Number of tokens of the text.
            dtype: What the layers compute with; they must have it when they are run.
        """
        self.layout = layout
        self._tokens = tokens
        self._calls = {number: _mapped(call, lambda value: _as(value, dtype)) for number, call in calls.items()}

    def output(self, number: int, module: nn.Module, shared: Shared | None = None) -> Seen:
        """Run a layer until one of its modules has given its output."""
        seen: list[Tensor] = []

        def keep(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
            seen.append(output[0] if isinstance(output, tuple | list) else output)
            raise _ReachedError

        with _hook(module.register_forward_hook(keep)):
            made = self._run(number, shared)
        if not seen:
            raise LookupError("the module was not called")
        return Seen(seen[0], made)

    def attention_weights(self, number: int, index: int, shared: Shared | None = None) -> Seen:
        """Run a layer until an attention is done, and return its weights; a sink, which is no key, is left out.

        Args:
            number: The layer.
            index: Which of its attentions.
            shared: Keys and values of another layer, instead of those in the one forward pass.
        """
        attention = self.layout.attentions[number][index]
        watch = Softmaxes(attention.heads.query, self._tokens)

        def begin(*_: Any) -> None:
            watch.inside = True

        def end(*_: Any) -> None:
            raise _ReachedError

        first, last = attention.module.register_forward_pre_hook(begin), attention.module.register_forward_hook(end)
        with _hook(first), _hook(last), watch:
            made = self._run(number, shared)
        if not watch.found:
            raise LookupError("no softmax over keys was met")
        return Seen(torch.stack(watch.found), made)

    def uses(self, number: int, shared: Shared) -> bool:
        """Say whether a layer was given keys and values that another one makes."""
        given = self._calls[number][1]
        return any(
            all(_alike(one, two) for one, two in zip(states, given[name][key], strict=True))
            for name, made in shared.items()
            for key, states in made.items()
            if isinstance(given.get(name), MutableMapping) and key in given[name]
        )

    def _run(self, number: int, shared: Shared | None) -> Shared:
        args, kwargs = self._calls[number]
        given = {name: _given(value, (shared or {}).get(name, {})) for name, value in kwargs.items()}
        try:
            with torch.inference_mode():
                self.layout.layers[number](*args, **given)
        except _ReachedError:
            pass
        mappings = ((name, value, kwargs[name]) for name, value in given.items() if isinstance(value, MutableMapping))
        made = {name: {k: v for k, v in value.items() if known.get(k) is not v} for name, value, known in mappings}
        return {name: states for name, states in made.items() if states}


def merged(first: Any, second: Any) -> Any:
    """Return the arguments of a second call with the tensors of a first one, where it has them of the same shape.

    Hidden states come from the pass that was scored, and masks, which that pass has none of, from the other one.
    """
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first if (first.shape, first.dtype) == (second.shape, second.dtype) else second
    if isinstance(first, tuple | list) and type(first) is type(second) and len(first) == len(second):
        return type(second)(merged(one, two) for one, two in zip(first, second, strict=True))
    if isinstance(first, MutableMapping) and isinstance(second, MutableMapping):
        found = copy(second)
        found.update({name: merged(first.get(name), value) for name, value in second.items()})
        return found
    return second


def _mapped(value: Any, change: Any) -> Any:
    """Return arguments with each tensor changed; containers are new ones, other things the same."""
    if isinstance(value, Tensor):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(_mapped(one, change) for one in value)
    if isinstance(value, MutableMapping):
        found = {} if type(value) is dict else copy(value)
        for name, one in value.items():
            found[name] = _mapped(one, change)
        return found
    return value


def _as(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value


def _given(value: Any, shared: Mapping[str, Any]) -> Any:
    """Return an argument of a run: a mapping is one of its own, for layers write to it."""
    if not isinstance(value, MutableMapping):
        return value
    own = copy(value)
    own.update(shared)
    return own


def _alike(one: Tensor, two: Tensor) -> bool:
    return one.shape == two.shape and bool((one - two).norm() <= 0.05 * two.norm())


@contextmanager
def _hook(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
