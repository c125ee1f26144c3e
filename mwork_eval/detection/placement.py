"""Whether rows of q and k show where they must: in the attention weights of their heads.

Scores do not tell this: where no formula holds they are made by looking at what zeroing the very same rows does.
"""

from collections.abc import Callable

import torch

from mwork_eval.detection.layer_replay import LayerReplay
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


def misplaced(replay: LayerReplay, layer: int, structure: str, moved: Callable[[Tensor], Tensor]) -> str:
    """Return what is wrong with where the neurons of q or k of a layer show; empty if nothing is.

    Args:
        replay: Runs the layer.
        layer: The layer.
        structure: `q` or `k`.
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
        per_head, members = block.size // count, heads.query // count
        elsewhere: list[bool] = []
        for number in range(_NEURONS):
            neuron = (2 * number + 1) * block.size // (2 * _NEURONS)
            with SliceEditor() as editor:
                zero(editor, block, neuron, moved)
                after = replay.attention_weights(layer, index).value
            by_head = (
                (before - after).double().square().unflatten(-3, (-1, heads.query)).movedim(-3, 0).flatten(1).sum(1)
            )
            if float(by_head.sum()) > small:
                elsewhere.append(int(by_head.argmax()) // members != neuron // per_head)
        if not elsewhere:
            return "zeroing its neurons does not change the attention weights"
        # A norm over all heads may change another head more than the neuron's own.
        if 2 * sum(elsewhere) >= len(elsewhere):
            return "its neurons change the attention weights of other heads than those they are taken for"
    return ""


def _blocks(layout: Layout, layer: int, structure: str) -> list[tuple[int, Block]]:
    numbers = [i for i, one in enumerate(layout.attentions[layer]) if structure in one.projections]
    return list(zip(numbers, layout.blocks.get((layer, structure), ()), strict=True))
