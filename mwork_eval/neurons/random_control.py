"""Random controls: as many neurons, at the same positions, that are not in the set."""

from collections.abc import Mapping

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES


def draw_random_control(
    shape: ModelShape,
    stages: Stages,
    counts: Mapping[str, int],
    *,
    excluded: NeuronSet,
    seed: int,
) -> NeuronSet:
    """Draw ``counts[position]`` neurons at each position, uniformly from those not in ``excluded``.

    Args:
        shape: Neuron counts of the model.
        stages: Where the positions lie.
        counts: Number of neurons wanted per position.
        excluded: The language's whole set, so that the control shares no neuron with it.
        seed: Seed of the draw, not negative; the same arguments give the same neurons on every machine. Neurons
            are drawn from the structures that ``excluded`` has.

    Raises:
        InputError: If a position has too few neurons left, or the seed is negative.
    """
    if seed < 0:
        raise InputError("unusable seed of a random control", found=seed, expected="0 or more")
    taken = {(layer, structure): set(members) for layer, structure, members in excluded.switches()}
    structures = sorted({structure for _, structure in taken}) or DEFAULT_STRUCTURES
    generator = np.random.default_rng(seed)
    drawn: dict[Place, list[int]] = {}
    for position, count in counts.items():
        candidates: list[tuple[int, str, int]] = []
        for layer in range(shape.layers):
            for structure in structures:
                if stages.position(layer, structure) == position:
                    here = taken.get((layer, structure), set())
                    free = (n for n in range(shape.sizes[layer][structure]) if n not in here)
                    candidates.extend((layer, structure, n) for n in free)
        if count > len(candidates):
            raise InputError(
                f"too few neurons for a random control at {position}",
                found=len(candidates),
                expected=f"{count}",
            )
        for pick in generator.choice(len(candidates), size=count, replace=False):
            layer, structure, neuron = candidates[int(pick)]
            drawn.setdefault((layer, structure), []).append(neuron)
    return NeuronSet(
        shape,
        {place: np.array(sorted(members), np.int32) for place, members in drawn.items()},
        {**excluded.about, "random_control": seed, "excluded_digest": excluded.digest},
    )
