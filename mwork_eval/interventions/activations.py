"""Deactivate neurons by zeroing their activations, for weights that cannot be written (4-bit, 8-bit, offloaded).

Where both ways work they give the same logits: a zero row gives a zero output channel, and a zero column ignores its
input channel.
"""

from typing import Any

import torch
from torch import nn

from mwork_eval.interventions.experts import ExpertsMask
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import COLUMN_STRUCTURES


class ActivationMask:
    """Hooks on a model's projections that zero channels until `restore`; the weights stay as they are."""

    def __init__(self, layout: Layout, neurons: NeuronSet) -> None:
        outputs: dict[nn.Module, list[torch.Tensor]] = {}
        inputs: dict[nn.Module, list[torch.Tensor]] = {}
        experts: dict[nn.Module, dict[str, torch.Tensor]] = {}
        for place, indices in neurons.indices.items():
            block, structure = layout.blocks[place], place[1]
            chosen = torch.from_numpy(indices.astype("int64"))
            if block.channels is None:
                experts.setdefault(block.module, {})[structure] = chosen
            else:
                of_module = inputs if structure in COLUMN_STRUCTURES else outputs
                of_module.setdefault(block.module, []).append(block.channels[chosen])
        self._hooks = [
            *(module.register_forward_hook(_zero_output(torch.cat(parts))) for module, parts in outputs.items()),
            *(module.register_forward_pre_hook(_zero_input(torch.cat(parts))) for module, parts in inputs.items()),
        ]
        self._experts = ExpertsMask(layout, experts) if experts else None

    def restore(self) -> None:
        """Take the hooks off; a second call does nothing."""
        while self._hooks:
            self._hooks.pop().remove()
        if self._experts is not None:
            self._experts.restore()
            self._experts = None


def _zero_output(channels: torch.Tensor) -> Any:
    def hook(_: nn.Module, __: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return output.index_fill(-1, channels.to(output.device), 0)

    return hook


def _zero_input(channels: torch.Tensor) -> Any:
    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].index_fill(-1, channels.to(args[0].device), 0), *args[1:])

    return hook
