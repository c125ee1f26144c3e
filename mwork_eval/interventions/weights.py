"""Deactivate neurons by setting their weights to zero."""

from collections.abc import Mapping

import torch

from mwork_eval.errors import InputError
from mwork_eval.interventions.switches import as_switches
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import Indices, Place


def zero_weights(layout: Layout, indices: Mapping[Place, Indices], undo: SliceEditor) -> None:
    """Zero neurons in the weights until an editor is closed, which brings the weights back bit by bit.

    This changes the model's weights in place: rows (and bias entries) of q, k, v, gate, up and columns of o,
    down, also where a family fuses several structures into one matrix. Where zeros in a row of gate or up do not
    switch a neuron off, those of another structure are written (`switches`). Memory is that of the zeroed values.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons.
        undo: Remembers the weights; if this raises, some may be zero until it is closed.

    Raises:
        InputError: If weights are packed, offloaded or beneath an adapter.
    """
    for place, members in as_switches(layout, indices).items():
        for block, own in layout.located(place, torch.from_numpy(members.astype("int64"))):
            if block.weight is None or not block.writable:
                raise InputError(
                    f"the weights of layers.{place[0]}.{place[1]} cannot be written",
                    found=block.obstacle,
                    expected="plain weights in memory",
                )
            at = block.positions(own.to(block.weight.device))
            undo.write(block.weight, at, 0)
            if block.bias is not None:
                undo.write(block.bias, at, 0)
