"""Deactivate a neuron set: in the weights where they can be written, else in the activations."""

from collections.abc import Iterator
from contextlib import contextmanager

from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import ActivationMask
from mwork_eval.interventions.weights import WeightMask
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

Mask = WeightMask | ActivationMask


def make_mask(layout: Layout, neurons: NeuronSet) -> Mask:
    """Deactivate neurons until the mask's `restore` is called.

    Raises:
        InputError: If the set is of another model.
    """
    if neurons.shape != layout.shape:
        raise InputError("the neuron set is of another model", found=str(neurons.shape), expected=str(layout.shape))
    return WeightMask(layout, neurons) if layout.writable else ActivationMask(layout, neurons)


@contextmanager
def deactivated(layout: Layout, neurons: NeuronSet) -> Iterator[None]:
    """Deactivate neurons for the duration of a block; the model is as before also after an exception.

    Raises:
        InputError: If the set is of another model.
    """
    mask = make_mask(layout, neurons)
    try:
        yield
    finally:
        mask.restore()
