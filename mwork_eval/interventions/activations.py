"""Change neurons' activations by hooks, where weights do not do it; the weights stay as they are.

Weights do not do it where they cannot be written (4-bit, 8-bit, offloaded), beneath an adapter, whose own part of the
output a zero row leaves as it is, and where an activation becomes a constant. Where both ways work they give the same
logits: a zero row gives a zero output channel, and a zero column ignores its input channel.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

import torch
from torch import nn

from mwork_eval.interventions.experts import change_in_experts, parts_of_experts
from mwork_eval.interventions.hooks import change_input, change_output
from mwork_eval.interventions.sites import Site, activation_sites
from mwork_eval.interventions.switches import as_switches
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.activation_values import Values
from mwork_eval.neurons.neuron_set import Indices, Place
from mwork_eval.neurons.structures import COLUMN_STRUCTURES

Tensor = torch.Tensor

Change = Callable[[Tensor], Tensor]
"""Takes activations of neurons `[..., n]` and returns what they become `[..., n]`."""


def zero_activations(layout: Layout, indices: Mapping[Place, Indices], undo: ExitStack[bool | None]) -> None:
    """Zero channels of a model's projections by hooks until a stack is closed; the weights stay as they are.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons.
        undo: Takes the hooks off.
    """
    outputs: dict[nn.Module, list[Tensor]] = {}
    inputs: dict[nn.Module, list[Tensor]] = {}
    experts: dict[nn.Module, tuple[int, list[Tensor]]] = {}
    for place, members in as_switches(layout, indices).items():
        structure = place[1]
        for block, chosen in layout.located(place, torch.from_numpy(members.astype("int64"))):
            if block.channels is None:
                experts.setdefault(block.module, (block.size // block.experts, []))[1].append(chosen)
            else:
                of_module = inputs if structure in COLUMN_STRUCTURES else outputs
                of_module.setdefault(block.module, []).append(block.channels[chosen])
    for module, parts in outputs.items():
        change_output(module, partial(_zeroed, torch.cat(parts)), undo)
    for module, parts in inputs.items():
        change_input(module, partial(_zeroed, torch.cat(parts)), undo)
    for module, (width, parts) in experts.items():
        chosen = torch.cat(parts)
        of_expert = parts_of_experts(chosen, width).items()
        change_in_experts(module, {one: partial(_zeroed, chosen[own] % width) for one, own in of_expert}, undo)


def change_activations(
    layout: Layout, indices: Mapping[Place, Indices], change: Change, undo: ExitStack[bool | None]
) -> None:
    """Change neurons' activations, each by itself, until a stack is closed.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons; gate, up and down of one index are one.
        change: What their activations become.
        undo: Takes the hooks off.
    """
    for site in activation_sites(layout, indices):
        change_at(site, change, undo)


def change_at(site: Site, change: Change, undo: ExitStack[bool | None]) -> None:
    """Change the activations of the neurons of one site, until a stack is closed."""
    _hook(site, partial(_changing, change), undo)


def replace_activations(
    layout: Layout,
    indices: Mapping[Place, Indices],
    values: Mapping[Place, Values],
    undo: ExitStack[bool | None],
) -> None:
    """Put constants in place of neurons' activations, at every token, until a stack is closed.

    Of an expert's neuron it is the activation at the tokens that are sent to the expert: at others it has none. Where
    weights or other hooks weaken a neuron, too, the constant wins.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons; gate, up and down of one index are one.
        values: Per layer and structure, the constants of all neurons; those of gate and down are at `up`.
        undo: Takes the hooks off.
    """
    for site in activation_sites(layout, indices):
        constants = torch.from_numpy(values[site.place][site.neurons.numpy()])
        _hook(site, partial(_putting, constants), undo, last=True)


def _hook(
    site: Site, make: Callable[[Tensor, Tensor], Change], undo: ExitStack[bool | None], *, last: bool = False
) -> None:
    """Hook what is made of the channels of a site's neurons, and of which of them these are."""
    block, module = site.block, site.block.module
    if block.channels is None:
        width = block.size // block.experts
        of_expert = parts_of_experts(site.inside, width).items()
        change_in_experts(module, {one: make(site.inside[own] % width, own) for one, own in of_expert}, undo)
        return
    hook = change_input if site.is_input else change_output
    hook(module, make(block.channels[site.inside], torch.arange(len(site.inside))), undo, last=last)


def _changing(change: Change, channels: Tensor, _: Tensor) -> Change:
    return partial(_changed, channels, change)


def _putting(constants: Tensor, channels: Tensor, own: Tensor) -> Change:
    return partial(_put, channels, constants[own])


def _zeroed(channels: Tensor, states: Tensor) -> Tensor:
    return states.index_fill(-1, channels.to(states.device), 0)


def _changed(channels: Tensor, change: Change, states: Tensor) -> Tensor:
    at = channels.to(states.device)
    return states.index_copy(-1, at, change(states.index_select(-1, at)))


def _put(channels: Tensor, constants: Tensor, states: Tensor) -> Tensor:
    at = channels.to(states.device)
    return states.index_copy(-1, at, constants.to(states).expand(*states.shape[:-1], -1))
