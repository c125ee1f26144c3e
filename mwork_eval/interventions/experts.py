"""Zero activations inside mixture-of-experts layers, whose experts are tensors without modules to hook."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import torch
from torch import nn

from mwork_eval.models.products import watch_experts


def mask_experts(masked: Mapping[nn.Module, tuple[int, torch.Tensor]], undo: ExitStack[bool | None]) -> None:
    """Zero what goes into the last product of experts until a stack is closed; their own code runs.

    Args:
        masked: Per experts module, d_inter and the indices of neurons; gate, up and down are one switch.
        undo: Takes the masks off.
    """
    for module, (width, indices) in masked.items():
        of_expert = {int(e): indices[indices // width == e] % width for e in (indices // width).unique()}
        watch_experts(module, undo, before=partial(_zero, of_expert))


def _zero(of_expert: Mapping[int, torch.Tensor], expert: int, hidden: torch.Tensor) -> torch.Tensor:
    if expert not in of_expert:
        return hidden
    return hidden.index_fill(-1, of_expert[expert].to(hidden.device), 0)
