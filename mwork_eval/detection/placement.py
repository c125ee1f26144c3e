"""Whether rows of q, k and v show where they must: in the attention weights, or the outputs, of their heads.

Scores do not tell this: where no formula holds they are made by looking at what zeroing the very same rows does.
"""

from collections.abc import Callable

import torch

from mwork_eval.detection.replay import Replay
from mwork_eval.models.blocks import Block
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor

Tensor = torch.Tensor

_NEURONS = 4
_SMALL = 1e-10
"""Share of the attention weights' squares below which a change is rounding."""


def zero(editor: SliceEditor, block: Block, index: int, moved: Callable[[Tensor], Tensor]) -> None:
    """Zero a neuron of a block, weights and bias, until an editor is closed.

    Args:
        editor: Remembers what was there.
        block: The block.
        index: The neuron's index in it.
        moved: Takes the block's tensors to those that are computed with.
    """
    at = block.positions(torch.tensor([index]))
    for tensor in (block.weight, block.bias):
        if tensor is not None:
            editor.write(moved(tensor), at, 0.0)


def misplaced(replay: Replay, layer: int, structure: str, moved: Callable[[Tensor], Tensor]) -> str:
    """Return what is wrong with where the neurons of q, k or v of a layer show; empty if nothing is.

    Args:
        replay: Runs the layer.
        layer: The layer.
        structure: `q`, `k` or `v`.
        moved: Takes tensors of blocks to those that are computed with.
    """
    for index, block in _blocks(replay.layout, layer, structure):
        if not block.writable:
            continue
        heads = replay.layout.attentions[layer][index].heads
        try:
            before = replay.attention_weights(layer, index).value
        except LookupError as error:
            return str(error)
        small = _SMALL * float(before.double().square().sum())
        count = heads.query if structure == "q" else heads.groups
        per_head, members, shown = block.size // count, heads.query // count, False
        output = replay.layout.blocks[layer, "o"][index]
        # Code of its own may share values out in another way (DiffLlama).
        plain = structure == "v" and replay.layout.attentions[layer][index].interface
        columns = replay.entering(layer, output.module) if plain else None
        for number in range(_NEURONS):
            neuron = (2 * number + 1) * block.size // (2 * _NEURONS)
            with SliceEditor() as editor:
                zero(editor, block, neuron, moved)
                after = replay.attention_weights(layer, index).value
                changed = None if columns is None else replay.entering(layer, output.module)
            by_head = (
                (before - after).double().square().unflatten(-3, (-1, heads.query)).movedim(-3, 0).flatten(1).sum(1)
            )
            if structure == "v":
                if columns is None or changed is None:
                    continue
                if why := _of_other_columns(columns - changed, output, neuron, per_head, members):
                    return why
            elif float(by_head.sum()) > small:
                shown = True
                if int(by_head.argmax()) // members != neuron // per_head:
                    return f"neuron {neuron} changes the attention weights of other heads than those it is taken for"
        if structure != "v" and not shown:
            return "zeroing its neurons does not change the attention weights"
    return ""


def _of_other_columns(change: Tensor, output: Block, neuron: int, width: int, members: int) -> str:
    """Say whether what a value neuron adds to most is another channel, or head, than that it is taken for."""
    by_column = change.double().square().flatten(0, -2).sum(0)
    assert output.channels is not None
    if not by_column.any() or output.size % width:
        return ""
    head, channel = divmod(int(by_column[output.channels.to(by_column.device)].argmax()), width)
    if (head // members, channel) == divmod(neuron, width):
        return ""
    return f"neuron {neuron} is seen in channel {channel} of head {head}, where another one is expected"


def _blocks(layout: Layout, layer: int, structure: str) -> list[tuple[int, Block]]:
    numbers = [i for i, one in enumerate(layout.attentions[layer]) if structure in one.projections]
    return list(zip(numbers, layout.blocks.get((layer, structure), ()), strict=True))
