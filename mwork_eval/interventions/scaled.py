"""Weaken or strengthen neurons: their activations times a number, in the weights where these can be written.

Rows of q, k and v with their biases, and columns of o and down: a column of down is multiplied by what the neuron is
multiplied by, whatever gates, limits or norms made its activation.
"""

from functools import partial

import torch

from mwork_eval.interventions.activations import change_at
from mwork_eval.interventions.sites import activation_sites
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet


def scale_neurons(layout: Layout, neurons: NeuronSet, factor: float) -> SliceEditor:
    """Multiply the activations of neurons: of all of them, or of none where one cannot be.

    A factor of 0 writes what switching them off writes, 1 leaves every bit as it is.

    Returns:
        What undoes it, bit by bit, when it is closed.
    """
    if factor == 0:
        return zero_neurons(layout, neurons)
    with SliceEditor() as undo:
        for site in activation_sites(layout, neurons.indices):
            block = site.block
            if not layout.in_memory or not block.writable or block.weight is None:
                change_at(site, partial(torch.mul, other=factor), undo)
                continue
            at = block.positions(site.inside.to(block.weight.device))
            undo.write(block.weight, at, block.weight.detach()[at] * factor)
            if block.bias is not None and not site.is_input:
                undo.write(block.bias, at, block.bias.detach()[at] * factor)
        return undo.pop_all()
