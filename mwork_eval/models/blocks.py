"""A block: the neurons of one structure of one layer that lie in one parameter, as a view of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from mwork_eval.errors import InputError

Tensor = torch.Tensor


@dataclass(frozen=True)
class Block:
    """The neurons of one structure of one layer that lie in one parameter.

    Attributes:
        module: The projection, or the module of all experts.
        size: Number of neurons. Among experts, neuron e·d_inter + k is channel k of expert e.
        weight: View of the parameter whose first axes are those that ``positions`` indexes, and whose last one are the
            features: `[d_out, features]` of a projection (for o and down `[d_in, features]`), `[experts, d_inter,
            features]` of experts. Writing to it writes to the model. None if the weights are packed (4-bit, 8-bit).
        bias: View of the bias with the same first axes, or None.
        channels: Per neuron, its channel in the module's output, or input for o and down; None for experts.
        experts: Number of experts, or 0.
        start: Index of the first of the neurons in the layer's structure.
        remake: Makes the weights that the module computes with, where ``weight`` is only a part of them: beneath an
            adapter that is not merged, or a parametrisation. None where ``weight`` is all.
    """

    module: nn.Module
    size: int
    weight: Tensor | None
    bias: Tensor | None
    channels: Tensor | None
    experts: int = 0
    start: int = 0
    remake: Callable[[], Tensor] | None = None

    @property
    def adapted(self) -> bool:
        """Whether a neuron is not off where its weights are zero, because they are not all that counts."""
        return self.remake is not None

    @property
    def in_memory(self) -> bool:
        """Whether the weights are in memory as plain numbers."""
        return self.weight is not None and not self.weight.is_meta

    @property
    def writable(self) -> bool:
        """Whether writing to the weights changes the neurons: they are in memory, and the module uses them alone."""
        return self.in_memory and not self.adapted

    @property
    def obstacle(self) -> str:
        """Why weights that are not writable are not."""
        return "weights beneath an adapter" if self.in_memory else "packed or offloaded weights"

    def neurons(self) -> Tensor:
        """Return the weights as `[neurons, features]`; a copy where a view cannot have this shape.

        Raises:
            InputError: If they are packed or offloaded, of experts beneath an adapter, or beneath one that drops out.
        """
        if self.weight is None or self.weight.is_meta:
            raise InputError(
                "the weights cannot be read",
                found="packed weights" if self.weight is None else "offloaded weights",
                expected="plain weights in memory",
                hint="load the model without quantisation and offloading",
            )
        weight = self.weight if self.remake is None else self.remake()
        if self.channels is None:
            return weight.flatten(0, -2)
        return weight if len(self.channels) == len(weight) else weight[self.channels.to(weight.device)]

    def positions(self, indices: Tensor) -> tuple[Tensor, ...]:
        """Return what indexes the first axes of ``weight`` and ``bias`` for indices of the block's neurons `[n]`."""
        if self.weight is None:
            raise ValueError("packed weights have no positions")
        if self.channels is None:
            return torch.unravel_index(indices, self.weight.shape[:-1])
        return (self.channels.to(indices.device)[indices],)


def features_of(module: Any) -> tuple[int, int]:
    """Return the number of input and output channels of a projection, also of a quantised one."""
    if isinstance(module, Conv1D):
        return int(module.nx), int(module.nf)
    if hasattr(module, "in_features"):
        return int(module.in_features), int(module.out_features)
    outputs, inputs = module.weight.shape
    return int(inputs), int(outputs)


def projection_block(module: nn.Module, rows: Tensor | None = None, *, column: bool, start: int = 0) -> Block:
    """Return the block of a structure in a linear projection.

    Args:
        module: The projection.
        rows: The output channels that are its neurons, in their order, or None for all.
        column: Whether the neurons are the input channels.
        start: Index of the first of the neurons.
    """
    inner = without_adapters(module)
    inputs, outputs = features_of(inner)
    weight: Tensor | None = getattr(inner, "weight", None)
    whole = inner is module and _is_own(inner, weight)
    if weight is not None:
        weight = weight.T if isinstance(inner, Conv1D) else weight
        if not weight.is_floating_point() or weight.shape != (outputs, inputs):
            weight = None
    if column:
        remake = None if whole else lambda: _effective(module, inner).T
        turned = None if weight is None else weight.T
        return Block(module, inputs, turned, None, torch.arange(inputs), start=start, remake=remake)
    remake = None if whole else lambda: _effective(module, inner)
    channels = torch.arange(outputs) if rows is None else rows
    bias: Tensor | None = getattr(inner, "bias", None)
    return Block(module, len(channels), weight, bias, channels, start=start, remake=remake)


def without_adapters(module: Any) -> Any:
    """Return the module that peft's layers are wrapped around, or the module itself if it is none of them.

    `base_layer` is that of tuners (LoRA, IA3, ...), `original_module` that of copies trained whole (`modules_to_save`).
    """
    for name in ("base_layer", "original_module"):
        if isinstance(inner := getattr(module, name, None), nn.Module):
            return without_adapters(inner)
    return module


def _is_own(module: nn.Module, weight: Tensor | None) -> bool:
    """Say whether a weight is what the module computes with, and not made from other parameters in each call."""
    return weight is None or any(weight is own for own in (*module._parameters.values(), *module._buffers.values()))


def _effective(module: nn.Module, inner: Any) -> Tensor:
    """Return the matrix `[d_out, d_in]` that a projection with its adapters multiplies by, found by calling it."""
    if any(isinstance(part, nn.Dropout) and part.p > 0 and part.training for part in module.modules()):
        raise InputError("the weights beneath an adapter cannot be read", found="dropout", hint="call model.eval()")
    with torch.no_grad():
        probe = torch.eye(features_of(inner)[0], dtype=inner.weight.dtype, device=inner.weight.device)
        # Past hooks on the module, which are no weights.
        found: Tensor = module.forward(probe) - module.forward(probe[:1] * 0)
        return found.T


def _experts_are_not_remade() -> Tensor:
    raise InputError("the weights of experts beneath an adapter cannot be read", hint="merge the adapter")


def experts_block(module: nn.Module, weight: Tensor, bias: Tensor | None, *, adapted: bool) -> Block:
    """Return the block of a structure of all experts of a layer.

    Args:
        module: The module of the experts.
        weight: View of its parameter `[experts, d_inter, features]`.
        bias: View of its bias `[experts, d_inter]`, or None.
        adapted: Whether it lies beneath an adapter.
    """
    count, width = weight.shape[:2]
    remake = _experts_are_not_remade if adapted else None
    plain = weight if weight.is_floating_point() else None
    return Block(module, count * width, plain, bias, None, experts=count, remake=remake)
