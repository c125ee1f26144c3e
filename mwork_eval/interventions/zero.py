"""Deactivate a neuron set: in the weights where zero weights switch a neuron off, else in the activations."""

from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.switches import as_switches
from mwork_eval.interventions.weights import zero_weights
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet, Place

_WEIGHTS, _ACTIVATIONS = "weights", "activations"


def zero_neurons(layout: Layout, neurons: NeuronSet) -> SliceEditor:
    """Deactivate neurons: all of them, or none where one cannot be.

    `Intervention.apply` checks that they are of this model.

    Returns:
        What undoes it, bit by bit, when it is closed.
    """
    indices = as_switches(layout, neurons.indices)
    ways = {place: _way(layout, place) for place in indices}
    with SliceEditor() as undo:
        zero_weights(layout, {p: indices[p] for p, way in ways.items() if way == _WEIGHTS}, undo)
        zero_activations(layout, {p: indices[p] for p, way in ways.items() if way == _ACTIVATIONS}, undo)
        return undo.pop_all()


def ways_of(layout: Layout) -> str:
    """Say how neurons of a model are deactivated: in its `weights`, its `activations`, or `weights and activations`."""
    return " and ".join(sorted({_way(layout, place) for place in layout.blocks}, reverse=True))


def _way(layout: Layout, place: Place) -> str:
    # Where some weights are packed or offloaded, all neurons go the same way. Adapters leave the other layers as they
    # are.
    return _WEIGHTS if layout.in_memory and all(block.writable for block in layout.blocks[place]) else _ACTIVATIONS
