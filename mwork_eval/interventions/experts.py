"""Change activations inside mixture-of-experts layers, whose experts are tensors without modules to hook."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

import torch
from torch import nn

from mwork_eval.models.products import watch_experts

Tensor = torch.Tensor


def parts_of_experts(indices: Tensor, width: int) -> dict[int, Tensor]:
    """Return, by expert, which of some neurons are its own: positions in ``indices``.

    Args:
        indices: Indices of neurons of all experts `[n]`; index e·d_inter + k is neuron k of expert e.
        width: d_inter.
    """
    return {int(expert): (indices // width == expert).nonzero()[:, 0] for expert in (indices // width).unique()}


def change_in_experts(
    module: nn.Module, changes: Mapping[int, Callable[[Tensor], Tensor]], undo: ExitStack[bool | None]
) -> None:
    """Change what goes into the last product of experts until a stack is closed; their own code runs.

    Args:
        module: The module of the experts.
        changes: By expert, what makes other states of its hidden ones `[..., d_inter]`.
        undo: Takes the changes off.
    """
    watch_experts(module, undo, before=partial(_change, changes))


def _change(changes: Mapping[int, Callable[[Tensor], Tensor]], expert: int, hidden: Tensor) -> Tensor:
    return changes[expert](hidden) if expert in changes else hidden
