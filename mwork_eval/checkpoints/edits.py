"""What masks and deltas change in a checkpoint, by the names that its tensors have there."""

from collections.abc import Mapping, Sequence

import torch

from mwork_eval.checkpoints.checkpoint import Checkpoint
from mwork_eval.checkpoints.edit import Edit, Edits
from mwork_eval.errors import InputError
from mwork_eval.interventions.sites import activation_sites
from mwork_eval.interventions.switches import as_switches
from mwork_eval.models.blocks import Block
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.weight_deltas.delta import WeightDelta

Tensor = torch.Tensor


def edits_of_neurons(checkpoint: Checkpoint, neurons: NeuronSet, factor: float = 0) -> Edits:
    """Return what switches neurons off in a checkpoint, or scales them, as it is done to the loaded model's weights.

    Args:
        checkpoint: The checkpoint.
        neurons: The neurons.
        factor: What their activations are multiplied by.

    Raises:
        InputError: If the set is of another model, or a neuron cannot be changed alone.
    """
    if neurons.shape != checkpoint.shape:
        raise InputError("the neuron set is of another model", found=str(neurons.shape), expected=str(checkpoint.shape))
    found: dict[str, list[Edit]] = {}
    if factor != 0:
        for site in activation_sites(checkpoint.layout, neurons.indices):
            block, where = site.block, (site.place[0], "down" if site.place[1] == "up" else site.place[1])
            _check_alone(checkpoint.layout, where, block, site.inside)
            positions = block.positions(site.inside)
            for view in (block.weight, None if site.is_input else block.bias):
                if view is not None:
                    _add(found, checkpoint, view, positions, None, is_bias=view is block.bias, factor=factor)
        return joined(found)
    for place, members in as_switches(checkpoint.layout, neurons.indices).items():
        for block, own in checkpoint.layout.located(place, torch.from_numpy(members.astype("int64"))):
            _check_alone(checkpoint.layout, place, block, own)
            positions = block.positions(own)
            for view in (block.weight, block.bias):
                if view is not None:
                    _add(found, checkpoint, view, positions, None, is_bias=view is block.bias)
    return joined(found)


def edits_of_delta(checkpoint: Checkpoint, delta: WeightDelta) -> Edits:
    """Return what puts the values of a delta into a checkpoint.

    Args:
        checkpoint: The checkpoint.
        delta: The delta.

    Raises:
        InputError: If it is of a model of other sizes, or what it changes cannot be changed alone.
    """
    found: dict[str, list[Edit]] = {}
    for part, values in delta.parts(checkpoint.layout, in_memory=False):
        for name, new in values.items():
            _add(found, checkpoint, part.parameters[name], part.at, new, is_bias=name == "bias")
    return joined(found)


def joined(*edits: Mapping[str, Sequence[Edit]]) -> Edits:
    """Return edits one after the other, by the names of tensors in order."""
    names = sorted({name for some in edits for name in some})
    return {name: tuple(one for some in edits for one in some.get(name, ())) for name in names}


def _add(
    found: dict[str, list[Edit]],
    checkpoint: Checkpoint,
    view: Tensor,
    positions: tuple[Tensor, ...],
    values: Tensor | None,
    *,
    is_bias: bool,
    factor: float | None = None,
) -> None:
    """Add what is done to the lines of a view that some positions name."""
    parameter = _parameter_of(view)
    names = checkpoint.origins.names_of(parameter)
    if len(names) != 1:
        raise _not_alone(" and ".join(names) or "no parameter of their own")
    along, at = _lines_of_view(view, parameter, positions, is_bias=is_bias)
    for source, axis, where, which in checkpoint.origins.lines(names[0], along, at):
        new = None if values is None else values[which].contiguous()
        found.setdefault(source, []).append(Edit(axis, tuple(one.contiguous() for one in where), new, factor))


def _check_alone(layout: Layout, place: Place, block: Block, own: Tensor) -> None:
    """Raise where rows are two structures at a time, as where keys are values as well.

    Raises:
        InputError: If they are.
    """
    for other, blocks in layout.blocks.items():
        for one in blocks if other[0] == place[0] and other[1] != place[1] else ():
            if _overlap(one, block, own):
                raise _not_alone(f"layers.{place[0]}.{place[1]} and layers.{other[0]}.{other[1]}")


def _overlap(one: Block, block: Block, own: Tensor) -> bool:
    if one.weight is None or block.weight is None or _parameter_of(one.weight) is not _parameter_of(block.weight):
        return False
    if (one.weight.storage_offset(), one.weight.stride()) != (block.weight.storage_offset(), block.weight.stride()):
        return False
    if one.channels is None or block.channels is None:
        return True
    return bool(torch.isin(block.channels[own], one.channels).any())


def _parameter_of(view: Tensor) -> Tensor:
    return view if view._base is None else view._base


def _not_alone(what: str) -> InputError:
    return InputError(
        "neurons share their weights with another part of the model, which would change, too",
        found=what,
        expected="weights of their own",
        hint="leave these neurons out of the set",
    )


def _lines_of_view(
    view: Tensor, parameter: Tensor, positions: tuple[Tensor, ...], *, is_bias: bool
) -> tuple[int | None, tuple[Tensor, ...]]:
    """Return the axis of a parameter along which lines of a view run, and their indices along the others."""
    shape = tuple(parameter.shape)
    first = view.storage_offset() - parameter.storage_offset()
    flat = sum((one * stride for one, stride in zip(positions, view.stride(), strict=False)), torch.tensor(first))
    at = torch.unravel_index(flat, shape)
    if is_bias:
        return None, at
    fits = [n for n, stride in enumerate(parameter.stride()) if (stride, shape[n]) == (view.stride(-1), view.shape[-1])]
    if len(fits) == 0 or not parameter.is_contiguous() or bool(at[fits[-1]].any()):
        raise AssertionError(f"the features of a neuron are no axis of its parameter {shape}")
    return fits[-1], tuple(one for number, one in enumerate(at) if number != fits[-1])
