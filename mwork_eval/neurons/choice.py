"""Which neurons of a set are deactivated: those at some positions, the strongest of them, or random ones instead."""

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.neurons.stages import Stages, parse_positions


def choose_neurons(
    neurons: NeuronSet,
    stages: Stages,
    *,
    positions: str,
    random_control: int | None,
    count: int | None,
    controls: str = "any",
) -> NeuronSet:
    """Return the neurons to deactivate: those at the positions, or a random control for them.

    Raises:
        InputError: If a position is unknown, no neuron is there, there are fewer than ``count``, or a control cannot
            be drawn.
    """
    if count is not None and count < 1:
        raise InputError("unusable count of neurons", found=count, expected="at least 1")
    chosen = neurons.at(stages, parse_positions(positions))
    if len(chosen) == 0:
        raise InputError(
            f"nothing to deactivate at {positions}", found=neurons.by_position(stages), expected="a neuron there"
        )
    if count is not None:
        chosen = chosen.strongest(count)
    if random_control is None:
        return chosen
    return draw_random_control(chosen, excluded=neurons, seed=random_control, controls=controls)
