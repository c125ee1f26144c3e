"""Deactivate neurons by zeroing their activations, where zero weights do not do it.

Those are weights that cannot be written (4-bit, 8-bit, offloaded), and those beneath an adapter, whose own part of the
output a zero row leaves as it is. Where both ways work they give the same logits: a zero row gives a zero output
channel, and a zero column ignores its input channel.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from mwork_eval.interventions.experts import mask_experts
from mwork_eval.interventions.switches import as_switches
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import Indices, Place
from mwork_eval.neurons.structures import COLUMN_STRUCTURES


def zero_activations(layout: Layout, indices: Mapping[Place, Indices], undo: ExitStack[bool | None]) -> None:
    """Zero channels of a model's projections by hooks until a stack is closed; the weights stay as they are.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons.
        undo: Takes the hooks off.
    """
    outputs: dict[nn.Module, list[torch.Tensor]] = {}
    inputs: dict[nn.Module, list[torch.Tensor]] = {}
    experts: dict[nn.Module, tuple[int, list[torch.Tensor]]] = {}
    for place, members in as_switches(layout, indices).items():
        structure = place[1]
        for block, chosen in layout.located(place, torch.from_numpy(members.astype("int64"))):
            if block.channels is None:
                experts.setdefault(block.module, (block.size // block.experts, []))[1].append(chosen)
            else:
                of_module = inputs if structure in COLUMN_STRUCTURES else outputs
                of_module.setdefault(block.module, []).append(block.channels[chosen])
    for module, parts in outputs.items():
        # Before the hooks that are there, which see the output of zero weights then, too.
        undo.callback(module.register_forward_hook(_zero_output(torch.cat(parts)), prepend=True).remove)
    for module, parts in inputs.items():
        undo.callback(module.register_forward_pre_hook(_zero_input(torch.cat(parts))).remove)
    mask_experts({module: (width, torch.cat(parts)) for module, (width, parts) in experts.items()}, undo)


def _zero_output(channels: torch.Tensor) -> Any:
    def hook(_: nn.Module, __: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return output.index_fill(-1, channels.to(output.device), 0)

    return hook


def _zero_input(channels: torch.Tensor) -> Any:
    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].index_fill(-1, channels.to(args[0].device), 0), *args[1:])

    return hook
