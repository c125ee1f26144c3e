"""The parameters of a neuron set: which rows and columns of which matrices they are, and their gradients alone."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from mwork_eval.errors import InputError
from mwork_eval.models.blocks import Block
from mwork_eval.models.layout import Layout
from mwork_eval.models.linear import linear
from mwork_eval.models.slice_editor import Positions, SliceEditor, write_slice
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.processes import process_count

Tensor = torch.Tensor

_SWITCH = ("gate", "up", "down")


@dataclass(frozen=True)
class Part:
    """Neurons of one structure in one layer that lie in one parameter.

    Attributes:
        place: Layer and structure.
        block: Where they are.
        indices: The neurons `[n]` by their indices inside the block, ascending.
    """

    place: Place
    block: Block
    indices: Tensor

    @property
    def name(self) -> str:
        """Name of layer and structure in files."""
        return f"layers.{self.place[0]}.{self.place[1]}"

    @property
    def neurons(self) -> Tensor:
        """The neurons by their indices in the structure `[n]`."""
        return self.indices + self.block.start

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The views of parameters that hold the neurons: `weight`, and `bias` if there is one."""
        assert self.block.weight is not None
        found = {"weight": self.block.weight}
        return found if self.block.bias is None else {**found, "bias": self.block.bias}

    @property
    def at(self) -> Positions:
        """What indexes the block's weight and bias."""
        return self.block.positions(self.indices)

    def read(self) -> dict[str, Tensor]:
        """Return copies of the parameters: `weight` `[n, features]`, and `bias` `[n]` if there is one."""
        return {name: parameter.detach()[self.at].clone() for name, parameter in self.parameters.items()}

    def save(self, editor: SliceEditor) -> None:
        """Let an editor remember the parameters, so that it puts them back."""
        for parameter in self.parameters.values():
            editor.save(parameter, self.at)

    def write(self, values: Mapping[str, Tensor]) -> None:
        """Put parameters in place, as `read` returns them."""
        for name, parameter in self.parameters.items():
            if name in values:
                write_slice(parameter, self.at, values[name])


def parts_of(layout: Layout, neurons: NeuronSet) -> list[Part]:
    """Return the parts of a set, in the order of layers; a feed-forward neuron is its gate, up and down together.

    Raises:
        InputError: If the set is of another model, or weights are packed or offloaded.
    """
    if neurons.shape != layout.shape:
        raise InputError("the neuron set is of another model", found=str(neurons.shape), expected=str(layout.shape))
    found: dict[Place, list[int]] = {}
    for layer, structure, members in neurons.switches():
        names = [name for name in _SWITCH if (layer, name) in layout.blocks] if structure == "up" else [structure]
        for name in names:
            found[layer, name] = sorted(members)
    return [part for place, members in sorted(found.items()) for part in parts_at(layout, place, torch.tensor(members))]


def parts_at(layout: Layout, place: Place, neurons: Tensor, *, in_memory: bool = True) -> Iterator[Part]:
    """Yield the parts that some neurons of a structure are in: one, or several where it has several blocks.

    Args:
        layout: The model.
        place: Layer and structure.
        neurons: Their indices `[n]`, ascending.
        in_memory: Whether the weights must be there to be written; not where only their places are asked for.

    Raises:
        InputError: If weights are packed or offloaded, or beneath an adapter.
    """
    for block, inside in layout.located(place, neurons):
        if block.weight is None or not (block.writable or (block.weight.is_meta and not in_memory)):
            raise InputError(
                f"the weights of layers.{place[0]}.{place[1]} cannot be trained",
                found=block.obstacle,
                expected="plain weights in memory",
                hint="merge the adapter first"
                if block.adapted
                else "load the model without quantisation and offloading",
            )
        yield Part(place, block, inside.to(block.weight.device) if in_memory else inside)


class TrainedParts(nn.Module):
    """The parameters of a set as parameters of their own, in float32; everything else of the model is frozen.

    Attributes:
        parts: The parts.
        values: Their parameters, by layer, structure, where the block starts if not at 0, and `weight` or `bias`.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """Take copies of the current values."""
        super().__init__()
        self.parts = tuple(parts)
        self.values = nn.ParameterDict(
            {_key(part, name): nn.Parameter(value.float()) for part in parts for name, value in part.read().items()}
        )

    def of(self, part: Part) -> dict[str, Tensor]:
        """Return the trained values of a part."""
        return {name: self.values[_key(part, name)] for name in part.parameters}

    def write(self) -> None:
        """Put the trained values into the model's weights."""
        for part in self.parts:
            part.write({name: value.detach() for name, value in self.of(part).items()})

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let backward passes through the model fill the gradients of the trained values, and no other ones.

        The forward pass computes with the model's own weights. A linear layer gives the gradients of the chosen rows
        and columns only; of other modules (experts) the whole gradient of a matrix exists for a moment.
        """
        by_module: dict[int, list[Part]] = defaultdict(list)
        for part in self.parts:
            by_module[id(part.block.module)].append(part)
        undo: list[Any] = []
        try:
            for parts in by_module.values():
                module = parts[0].block.module
                if type(module) in (nn.Linear, Conv1D):
                    module.__dict__["forward"] = partial(_forward, module, [(p, self.of(p)) for p in parts])
                    undo.append(partial(module.__dict__.pop, "forward"))
                elif process_count() > 1:
                    raise InputError("experts are trained in one process", found=f"{process_count()} processes")
                else:
                    undo += [_collect(parameter, parts, self) for parameter in _holders(module, parts)]
            yield
        finally:
            for step in undo:
                step()


def _key(part: Part, name: str) -> str:
    start = f"_{part.block.start}" if part.block.start else ""
    return f"{part.name.replace('.', '_')}{start}_{name}"


def _forward(module: Any, parts: Sequence[tuple[Part, Mapping[str, Tensor]]], states: Tensor) -> Tensor:
    channels, kinds, values = [], [], []
    for part, of_part in parts:
        assert part.block.channels is not None
        where = part.block.channels.to(part.indices.device)[part.indices]
        for name, value in of_part.items():
            kinds.append("column" if part.place[1] in ("o", "down") else name)
            channels.append(where)
            values.append(value)
    weight = module.weight.T if isinstance(module, Conv1D) else module.weight
    apply: Any = _SelectedLinear.apply
    result: Tensor = apply(states, weight, module.bias, kinds, channels, *values)
    return result


class _SelectedLinear(torch.autograd.Function):
    """A linear layer that gives gradients of its input and of chosen rows, columns and biases."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, kinds: Any, channels: Any, *values: Tensor
    ) -> Tensor:
        if torch.is_autocast_enabled(states.device.type):
            dtype = torch.get_autocast_dtype(states.device.type)
            states, weight = states.to(dtype), weight.to(dtype)
            bias = None if bias is None else bias.to(dtype)
        ctx.save_for_backward(states, weight)
        ctx.kinds, ctx.channels = kinds, channels
        found = linear(states, weight, bias)
        # Some models clamp what a projection gives in place, which autograd forbids for a view out of this function.
        return found.new_empty(0).set_(found) if found._is_view() else found  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        states, weight = ctx.saved_tensors
        of_states = linear(gradient, weight.T) if ctx.needs_input_grad[0] else None
        rows, columns = gradient.flatten(0, -2).float(), states.flatten(0, -2).float()
        found = []
        for kind, where in zip(ctx.kinds, ctx.channels, strict=True):
            if kind == "weight":
                found.append(rows[:, where].T @ columns)
            elif kind == "column":
                found.append(columns[:, where].T @ rows)
            else:
                found.append(rows[:, where].sum(0))
        return of_states, None, None, None, None, *found


def _holders(module: nn.Module, parts: Sequence[Part]) -> list[nn.Parameter]:
    """Return the parameters of a module that hold parts."""
    storages = {_storage(view) for part in parts for view in part.parameters.values()}
    return [parameter for parameter in module.parameters() if _storage(parameter) in storages]


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _collect(parameter: nn.Parameter, parts: Sequence[Part], trained: TrainedParts) -> Any:
    """Take the chosen entries of a parameter's gradient and drop the rest; returns what undoes this."""
    own = [
        (part, name, view)
        for part in parts
        for name, view in part.parameters.items()
        if _storage(view) == _storage(parameter)
    ]

    def take(full: Tensor) -> None:
        gradient, full.grad = full.grad, None
        assert gradient is not None
        gradient = gradient.contiguous()
        for part, name, view in own:
            of_block = gradient.as_strided(
                view.shape, view.stride(), view.storage_offset() - parameter.storage_offset()
            )
            value = trained.of(part)[name]
            found = of_block[part.at].float()
            value.grad = found if value.grad is None else value.grad + found

    parameter.requires_grad_(True)
    handle = parameter.register_post_accumulate_grad_hook(take)

    def undo() -> None:
        handle.remove()
        parameter.requires_grad_(False)

    return undo
