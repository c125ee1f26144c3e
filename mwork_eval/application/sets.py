"""Look at neuron sets, and combine them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mwork_eval.errors import InputError
from mwork_eval.neurons.expressions import evaluate
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX, find_neurons
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import stages_for


class SetWithStages(NamedTuple):
    """A set under the name it was asked for by, and the stages of its model."""

    name: str
    neurons: NeuronSet
    stages: Stages


def find_sets(
    references: Sequence[str], understanding: int | None = None, generation: int | None = None
) -> Iterator[SetWithStages]:
    """Find sets one after the other.

    Args:
        references: Files, shipped names, or expressions within a folder.
        understanding: Number of first layers that understand; the set's own, else a quarter, if not given.
        generation: Number of last layers that generate; the set's own, else an eighth, if not given.

    Raises:
        InputError: If one is not found, or the stages do not fit.
    """
    for reference in references:
        neurons = find_neurons(reference)
        yield SetWithStages(reference, neurons, stages_for([neurons], neurons.shape.layers, understanding, generation))


def combine_sets(expression: str, out: Path) -> NeuronSet:
    """Evaluate an expression of sets and write the result.

    Args:
        expression: Sets joined by `-`, `&` and `|`, with blanks around each.
        out: A `.safetensors` file.

    Raises:
        InputError: If the expression cannot be read, a set is not found, or ``out`` has another ending.
    """
    if out.suffix != SUFFIX:
        raise InputError("`out` is no file of a neuron set", found=out, expected=f"a name that ends in {SUFFIX}")
    neurons = evaluate(expression)
    save_neuron_set(neurons, out)
    return neurons


def share_of(neurons: NeuronSet) -> str:
    """Return how large a set is, in words."""
    return f"{len(neurons)} neurons ({100 * len(neurons) / neurons.shape.switches:.2f} %)"
