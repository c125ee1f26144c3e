"""Which rows or columns switch a feed-forward neuron off: its own, or where these do not do it, another structure's.

Gate, up and down of one index are one switch, h[:, k] = 0. Zeros in row k of gate or up do it where h is the product
of the activation of gate and up, or the activation of up. They do not where a number is added to up (GPT-OSS: (up + 1)
times the activation), where something else is added to the row's output (the adapters of Zamba 2), or where a row has
a share in what other neurons do (Gemma 3n keeps the largest of gate). Small numbers run through the block tell.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from mwork_eval.models.blocks import Block, features_of, without_adapters
from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.layout import Layout
from mwork_eval.models.placement import computing_device
from mwork_eval.models.products import watch_projection
from mwork_eval.neurons.neuron_set import Indices, Place

Tensor = torch.Tensor

_ROWS = ("gate", "up")


def as_switches(layout: Layout, indices: Mapping[Place, Indices]) -> dict[Place, Indices]:
    """Return neurons by the structures whose zeros switch them off.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons.

    Returns:
        The same neurons: those of gate and up whose own rows do not do it under another structure.
    """
    found: dict[Place, Indices] = {}
    for place, members in indices.items():
        for target, own in _targets(layout, place, members):
            found[target] = np.union1d(found[target], own) if target in found else own
    return found


def _targets(layout: Layout, place: Place, members: Indices) -> list[tuple[Place, Indices]]:
    layer, structure = place
    if structure not in _ROWS:
        return [(place, members)]
    parts = [part for part in layout.feed_forwards[layer] if structure in part.blocks]
    targets = [_target(layout, part, structure) for part in parts]
    if all(target == structure for target in targets):
        return [(place, members)]
    found = []
    for part, target, block in zip(parts, targets, layout.blocks[place], strict=True):
        inside = members[(members >= block.start) & (members < block.start + block.size)]
        if len(inside):
            start = block_of_part(layout, layer, part, target).start
            found.append(((layer, target), inside - block.start + start))
    return found


def block_of_part(layout: Layout, layer: int, part: FeedForward, structure: str) -> Block:
    """Return the block of a structure in one of the parts of a layer's feed-forward."""
    parts = [one for one in layout.feed_forwards[layer] if structure in one.blocks]
    number = next(number for number, one in enumerate(parts) if one is part)
    return layout.blocks[layer, structure][number]


_KNOWN: "WeakKeyDictionary[torch.nn.Module, dict[Any, dict[str, str]]]" = WeakKeyDictionary()
"""By model and kind of block, what was found: blocks of a model that say the same of themselves compute the same."""


def _target(layout: Layout, part: FeedForward, structure: str) -> str:
    plain = without_adapters(part.module)
    # Activations are modules in some models, which the text of a block names, and functions in others.
    settings = sorted(
        (name, getattr(value, "__qualname__", value))
        for name, value in vars(plain).items()
        if (isinstance(value, int | float | str) or hasattr(value, "__qualname__")) and name[0] != "_"
    )
    of_block = [(name, value) for name, value in settings if name != "layer_idx"]
    known = _KNOWN.setdefault(layout.model, {})
    key = (type(plain), repr(plain), part.kind, tuple(of_block), tuple(part.blocks))
    if key not in known:
        known[key] = _of_experts(plain, part) if part.kind == "experts" else _of_block(layout, part)
    return known[key].get(structure, structure)


def _of_experts(module: Any, part: FeedForward) -> dict[str, str]:
    """Try what an experts module makes of gate and up, where it has its own way."""
    if "gate" not in part.blocks or not hasattr(module, "_apply_gate"):
        return {}
    width = part.blocks["up"].size // max(part.blocks["up"].experts, 1)
    both = torch.randn(4, 2 * width, generator=torch.Generator().manual_seed(0)) + 1
    apart = not getattr(module, "is_concatenated", True)
    off = {}
    for number, structure in enumerate(_ROWS):
        rows = both.clone()
        rows[:, slice(number, None, 2) if apart else slice(number * width, (number + 1) * width)] = 0
        with torch.no_grad():
            off[structure] = not module._apply_gate(rows).any()
    return _choose(off, dict.fromkeys(_ROWS, False))


def _of_block(layout: Layout, part: FeedForward) -> dict[str, str]:
    """Run a block on random numbers with a row of gate or up zero, and see what goes into the last product."""
    if any(parameter.is_meta for parameter in part.module.parameters()):
        part = _with_random_weights(part)
    before = _hidden(layout, part, None, 0)
    if before is None:
        return dict.fromkeys(_ROWS, "down")
    neuron = int(before.abs().sum(0).argmax())
    off, mixed = {}, {}
    for structure in _ROWS:
        if structure in part.blocks:
            after = _hidden(layout, part, structure, neuron)
            assert after is not None
            nothing = 20 * torch.finfo(before.dtype).eps * before.abs().max()
            # Nearly: xIELU of zero is a millionth.
            off[structure] = bool(after[:, neuron].abs().max() <= nothing)
            others = torch.arange(before.shape[-1]) != neuron
            apart = (after - before)[:, others.to(after.device)].abs().max()
            mixed[structure] = bool(apart > nothing)
    return _choose(off, mixed)


def _with_random_weights(part: FeedForward) -> FeedForward:
    """Return a copy of a block with random weights, as that of a model known by its checkpoint has none."""
    copies: dict[int, Any] = {}
    module = deepcopy(part.module, copies)
    generator = torch.Generator().manual_seed(0)
    for one in module.modules():
        for name, parameter in one.named_parameters(recurse=False):
            if parameter.is_meta:
                values = torch.randn(parameter.shape, generator=generator, dtype=torch.float32) / 8
                setattr(one, name, torch.nn.Parameter(values.to(parameter.dtype), requires_grad=False))
    blocks = {name: replace(block, module=copies[id(block.module)]) for name, block in part.blocks.items()}
    return replace(part, module=module, blocks=blocks)


def _choose(off: Mapping[str, bool], mixed: Mapping[str, bool]) -> dict[str, str]:
    clean = [structure for structure in off if off[structure] and not mixed[structure]]
    found = {}
    for structure in off:
        if structure not in clean:
            # Where all rows change other neurons there is a norm, and zeros are what is meant.
            found[structure] = clean[0] if clean else structure if off[structure] else "down"
    return found


def _hidden(layout: Layout, part: FeedForward, structure: str | None, neuron: int) -> Tensor | None:
    """Return what goes into the last product `[4, d_inter]`, or None if the block cannot be called with states alone.

    BLOOM's is called with what is added to its output, too.
    """
    up: Any = without_adapters(part.blocks["up"].module)
    generator = torch.Generator().manual_seed(0)
    # Packed and offloaded weights tell neither where nor in what type they compute.
    dtype = layout.model.get_input_embeddings().weight.dtype  # type: ignore[operator,union-attr]
    states = torch.randn(1, 4, features_of(up)[0], generator=generator).to(_device_of(up), dtype)
    seen: list[Tensor] = []
    with torch.no_grad(), ExitStack() as undo:
        if structure is not None:
            block = part.blocks[structure]
            assert block.channels is not None
            watch_projection(block.module, undo, after=_Zero(block.channels[neuron : neuron + 1]))
        watch_projection(part.blocks["down"].module, undo, before=_Keep(seen))
        for given in ((states,), (states, states)):
            try:
                part.module(*given)
            except (TypeError, KeyError, AttributeError, IndexError):
                continue
            return seen[-1].reshape(4, -1)
    return None


def _device_of(projection: Any) -> torch.device:
    if hasattr(projection, "_hf_hook"):
        return computing_device(projection)
    tensors = (*projection.parameters(), *projection.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


class _Zero:
    def __init__(self, channel: Tensor) -> None:
        self._channel = channel

    def __call__(self, _: int, __: Tensor, output: Tensor) -> Tensor:
        return output.index_fill(-1, self._channel.to(output.device), 0)


class _Keep:
    def __init__(self, seen: list[Tensor]) -> None:
        self._seen = seen

    def __call__(self, _: int, hidden: Tensor) -> Tensor:
        self._seen.append(hidden)
        return hidden
