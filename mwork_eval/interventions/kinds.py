"""The kinds of intervention; a new one is a row here, and a file that says how it is done to a model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.interventions.zero import ways_of, zero_neurons
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet


@dataclass(frozen=True)
class Kind:
    """A way to change neurons.

    Attributes:
        apply: Takes the model, the neurons and the value, and changes all of the neurons or none; what it returns
            undoes it, bit by bit, when it is closed.
        ways: Takes the model; says in words what is changed in it, such as `weights`.
        takes_value: Whether there must be a value; else there must be none.
    """

    apply: Callable[[Layout, NeuronSet, Any], SliceEditor]
    ways: Callable[[Layout], str]
    takes_value: bool = True


ZERO = "zero"
KINDS: dict[str, Kind] = {
    ZERO: Kind(lambda layout, neurons, _: zero_neurons(layout, neurons), ways_of, takes_value=False),
}


def find_kind(name: str) -> Kind:
    """Return a kind of intervention.

    Raises:
        InputError: If there is no such kind; names those there are.
    """
    if name not in KINDS:
        raise InputError("unknown kind of intervention", found=name, expected=f"one of {' '.join(KINDS)}")
    return KINDS[name]
