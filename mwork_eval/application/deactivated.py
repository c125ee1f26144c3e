"""Switch neurons off in a model in memory, for the duration of a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from mwork_eval.application.intervened import block_of
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.neurons.neuron_set import NeuronSet

M = TypeVar("M")


@contextmanager
def deactivated(model: M, neurons: NeuronSet, *, force: bool = False) -> Iterator[M]:
    """Switch neurons off in a model during a block; what `intervened` does with `zero`.

    The model is neither copied nor loaded again: it keeps its device, dtype, hooks, adapters, training mode and
    `requires_grad`. The weights of the neurons (and their biases) are zero inside the block and come back bit by bit
    at its end, also after an exception. Where weights are packed or offloaded, and in layers beneath a peft adapter
    (which adds to the output whatever the weights are), hooks zero the neurons' activations instead; the adapter is
    neither merged nor changed.

    Blocks may be one inside another: then the neurons of all of them are off. A set that stores the fingerprint of its
    weights is compared with those the model has without the blocks around it, so an inner set is no set of another
    model because an outer one changed the weights. Adapters are part of the fingerprint: a set that was detected
    without them needs ``force``.

    The model may be moved or change its dtype inside the block. What is written to these neurons there, as by training,
    is overwritten at its end.

    Threads may have blocks on one model at a time: as with blocks one inside another, the neurons of all of them are
    off for all threads, and the weights are as before when the last block ends. While another thread evaluates, detects
    or trains on the model, a block begins and ends only when that is done.

    Args:
        model: A causal language model of transformers, also wrapped by peft or by torch.compile.
        neurons: What to switch off.
        force: Accept a set that was made for other weights of the same sizes.

    Yields:
        The model.

    Raises:
        InputError: If the family is not supported, the set does not fit the model, or neurons cannot be switched off;
            then the model is as it was.

    Examples:
        >>> with deactivated(model, neurons):  # doctest: +SKIP
        ...     model.generate(**inputs)
    """
    with block_of("deactivated", model, neurons, Intervention, force=force):
        yield model
