"""The slow truth of Eq. 1: set one neuron's parameters to zero, run its block again, measure what changes.

Blocks are run again on what they got in one forward pass of the whole decoder, in double precision. Attention weights
are seen where the model computes them: at the softmax inside the attention module.
"""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from helpers.neuron_tables import Part, layers_of, parts_of

Tensor = torch.Tensor

_PRECISION = {"inkling2_text": torch.float32, "xglm": torch.float32}
"""Types whose code names float32 itself, and fails in double precision."""


class Zeroing:
    """A copy of a model whose neurons can be zeroed one by one.

    Attributes:
        parts: Per layer, where its neurons are.
    """

    def __init__(self, model: Any, token_ids: list[int]) -> None:
        self._model = copy.deepcopy(model).to(_PRECISION.get(model.config.model_type, torch.double))
        self._layers = layers_of(self._model)
        self._tokens = len(token_ids)
        self.parts = [parts_of(self._model, layer) for _, layer in self._layers]
        self._calls: dict[torch.nn.Module, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        self._before: dict[tuple[int, str], _Seen] = {}
        replayed = {self._module(layer, part.replay) for layer, parts in enumerate(self.parts) for part in parts}
        hooks = [module.register_forward_pre_hook(self._record, with_kwargs=True) for module in replayed]
        try:
            with torch.no_grad(), _DoublePrecision():
                self._model(input_ids=torch.tensor([token_ids]), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()

    def changes(self, layer: int, part: Part, neurons: Iterable[int]) -> Tensor:
        """Return ‖T without the neuron - T‖² for each neuron, float64.

        T are the attention weights for q and k, the output of the attention's projection for v and o, the output of
        the feed-forward for the rest. Where other layers use the keys and values of this one, or all of its weights,
        it sums over them.
        """
        users = self._twins(layer, part) + (self._users(layer) if part.structure in "kv" else [])
        before = [self._seen(layer, part)] + [self._seen(*user) for user in users]
        found = []
        for neuron in neurons:
            with self._zeroed(layer, part, neuron):
                after = [self._run(layer, part)]
                after += [self._run(*user, shared=after[0].shared) for user in users]
            weights = part.structure in "qk"
            found.append(sum(one.change(other, weights) for one, other in zip(before, after, strict=True)))
        return torch.stack(found) if found else torch.zeros(0, dtype=torch.double)

    def path(self, layer: int) -> str:
        """Return the path of a layer in the model."""
        return self._layers[layer][0]

    def _module(self, layer: int, path: str) -> torch.nn.Module:
        return self._layers[layer][1].get_submodule(path)

    def _record(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        shared = kwargs.get("shared_kv_states")
        self._calls[module] = args, kwargs if shared is None else {**kwargs, "shared_kv_states": dict(shared)}

    def _users(self, layer: int) -> list[tuple[int, Part]]:
        """Return the later layers that have no keys of their own."""
        found = []
        for number in range(layer + 1, len(self.parts)):
            own = {part.structure: part for part in self.parts[number]}
            if "q" in own and "k" not in own:
                found.append((number, own["q"]))
        return found

    def _twins(self, layer: int, part: Part) -> list[tuple[int, Part]]:
        """Return the parts of other layers that have the very same weights."""

        def weight(number: int, one: Part) -> Tensor:
            return self._layers[number][1].get_parameter(one.entries[0][0])

        own = weight(layer, part)
        return [
            (number, other)
            for number, parts in enumerate(self.parts)
            for other in parts
            if number != layer and other.structure == part.structure and weight(number, other) is own
        ]

    def _seen(self, layer: int, part: Part) -> "_Seen":
        key = layer, f"{part.replay} {part.watch}"
        if key not in self._before:
            self._before[key] = self._run(layer, part)
        return self._before[key]

    def _run(self, layer: int, part: Part, shared: dict[str, Any] | None = None) -> "_Seen":
        module, watched = self._module(layer, part.replay), self._module(layer, part.watch)
        args, kwargs = self._calls[module]
        seen = _Seen()
        if "shared_kv_states" in kwargs:
            known = kwargs["shared_kv_states"]
            given = {**known, **(shared or {})}
            kwargs = {**kwargs, "shared_kv_states": given}

        def keep(_: Any, __: Any, output: Any) -> None:
            seen.outputs.append((output[0] if isinstance(output, tuple) else output).clone())

        hook = watched.register_forward_hook(keep)
        try:
            with torch.no_grad(), _Softmaxes(self._tokens, seen):
                module(*args, **kwargs)
        finally:
            hook.remove()
        if "shared_kv_states" in kwargs:
            seen.shared = {name: states for name, states in given.items() if states is not known.get(name)}
        return seen

    @contextmanager
    def _zeroed(self, layer: int, part: Part, neuron: int) -> Iterator[None]:
        kept = []
        for name, positions in part.entries:
            parameter = self._layers[layer][1].get_parameter(name)
            flat, at = parameter.detach().view(-1), positions[neuron]
            kept.append((flat, at, flat[at]))
            flat[at] = 0
        try:
            yield
        finally:
            for flat, at, values in kept:
                flat[at] = values


@dataclass
class _Seen:
    """What one run of a block showed."""

    outputs: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    shared: dict[str, Any] = field(default_factory=dict)

    def change(self, other: "_Seen", weights: bool) -> Tensor:
        """Return the squared norm of the difference, of the attention weights or of the outputs."""
        mine, others = (self.weights, other.weights) if weights else (self.outputs, other.outputs)
        if not mine:
            raise AssertionError(f"no {'softmax' if weights else 'output'} was seen")
        pairs = zip(mine, others, strict=True)
        return torch.stack([(one - two).double().square().sum() for one, two in pairs]).sum()


class _DoublePrecision(TorchFunctionMode):
    """Leaves a softmax in the precision of its input, where models ask for float32."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if getattr(func, "__name__", "") in {"softmax", "_softmax"}:
            kwargs.pop("dtype", None)
        return func(*args, **kwargs)


class _Softmaxes(_DoublePrecision):
    """Keeps the softmaxes over keys. A sink, which is no key, comes after the keys and is left out.

    Where a sink comes as a factor on the output, computed from the logits' sum, the weights are those with the factor.
    """

    def __init__(self, tokens: int, seen: _Seen) -> None:
        super().__init__()
        self._tokens, self._seen = tokens, seen
        self._factor: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        result = super().__torch_function__(func, types, args, kwargs)
        if name == "softmax" and result.dim() >= 3 and result.shape[-2] == self._tokens <= result.shape[-1]:
            self._seen.weights.append(result[..., : self._tokens].clone())
        if name == "sigmoid" and result.dim() == 3 and result.shape[-1] == self._tokens:
            self._factor = result
        if name == "matmul" and self._factor is not None and self._seen.weights:
            factor, self._factor = self._factor, None
            if factor.shape == self._seen.weights[-1].shape[:-1]:
                self._seen.weights[-1] = self._seen.weights[-1] * factor[..., None]
        return result
