"""Check that a neuron set belongs to a model before it touches a weight."""

from collections.abc import Mapping

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape


def check_fit(neurons: NeuronSet, shape: ModelShape, fingerprint: str, model_name: str, *, force: bool = False) -> None:
    """Raise unless the set was made for this model.

    Args:
        neurons: The set.
        shape: Neuron counts of the model.
        fingerprint: Fingerprint of the model's weights.
        model_name: Name of the model, for the message.
        force: Accept another fingerprint (a fine-tuned sibling); sizes must fit all the same.

    Raises:
        InputError: If family, sizes or fingerprint differ; names both sides.
    """
    origin = neurons.about.get("model", "an unnamed model")
    if neurons.shape != shape:
        raise InputError(
            f"the neuron set was made for {origin} and does not fit {model_name}",
            found=str(neurons.shape),
            expected=str(shape),
            hint="detect neurons in this model with `detect`",
        )
    made_for = neurons.about.get("fingerprint")
    if made_for is None and not force:
        raise InputError(
            f"it is not known whether the neuron set ({origin}) was made for the weights of {model_name}",
            found=_without_fingerprint(neurons),
            expected=f"a set of these weights ({fingerprint[:12]})",
            hint="if you know that it was, accept it with `force=True` (mwork-hf: neurons=...,force=True)",
        )
    if made_for != fingerprint and not force:
        raise InputError(
            f"the neuron set was made for other weights ({origin}) than {model_name} has",
            found=f"fingerprint {made_for}",
            expected=fingerprint,
            hint="detect neurons in this model, or accept it with `force=True`, as for a float16 load",
        )


def _without_fingerprint(neurons: NeuronSet) -> str:
    """Return why a set does not say which weights it is of."""
    origin = neurons.about.get("origin")
    if isinstance(origin, Mapping):
        return f"no fingerprint: {origin.get('file')} of the format {origin.get('format')} has none"
    return "no fingerprint"
