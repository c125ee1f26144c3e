"""Neuron sets of a model with 8 layers that exists as a shape only."""

import numpy as np

from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import Stages

SIZES = {"q": 8, "k": 4, "v": 4, "o": 8, "gate": 12, "up": 12, "down": 12}
SHAPE = ModelShape("llama", (SIZES,) * 8)
STAGES = Stages.of(8, 2, 1)
EDGES = ("under", "gen")
"""The positions whose boundaries are tuned."""
TUNED_ON = {"task": "xquad", "language": "zh", "documents": 16, "positions": "under+gen", "delta": 12.5}


def make(**places: list[int]) -> NeuronSet:
    """`q0=[1, 2]` is q neurons 1 and 2 of layer 0."""
    return NeuronSet(SHAPE, {(int(name[-1]), name[:-1]): np.array(at) for name, at in places.items()})


ZH = make(q0=[1, 2], up1=[2, 5, 6], q3=[4], up3=[0, 1, 2, 3], v7=[1], up7=[3, 4])
ES = make(q0=[3], up1=[7], q4=[4], up4=[0], up7=[5])


def places(neurons: NeuronSet) -> dict[tuple[int, str], int]:
    """How many switches a set has of each layer and structure."""
    return {(layer, structure): len(members) for layer, structure, members in neurons.switches()}


def beside(neurons: NeuronSet) -> NeuronSet:
    """The neurons that a language shares with others, as a set of their own."""
    return NeuronSet(neurons.shape, neurons.shared)
