"""Which neurons a lens deactivates, language by language."""

from collections.abc import Mapping, Sequence

from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.fit import check_fit
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.choice import choose_neurons
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.tuned_stages import stages_for


def choose_masks(
    layout: Layout, model_name: str, sets: Mapping[str, NeuronSet], *, positions: str, seeds: Sequence[int], force: bool
) -> dict[str, dict[str, NeuronSet]]:
    """Return, per language, what is deactivated in turn, by name: the language's own neurons, and random ones.

    Args:
        layout: The model, unmasked.
        model_name: Its name, for messages.
        sets: The neuron set of each language.
        positions: Positions joined by `+`, or `all`.
        seeds: Seeds of random controls, as many neurons at the same positions each.
        force: Accept sets made for other weights of the same sizes.

    Raises:
        InputError: If a set does not fit the model or has no neuron at the positions.
    """
    fingerprint = fingerprint_of(layout.model) if sets else ""
    found = {}
    for language, neurons in sets.items():
        check_fit(neurons, layout.shape, fingerprint, model_name, force=force)
        stages = stages_for([neurons], layout.shape.layers)
        found[language] = {
            positions if seed is None else f"random {positions}, seed {seed}": choose_neurons(
                neurons, stages, positions=positions, random_control=seed, count=None
            )
            for seed in (None, *seeds)
        }
    return found
