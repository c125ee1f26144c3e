"""The model that foreign files are read or written for: from its configuration alone, or from a set of it."""

from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import shown_value
from mwork_eval.errors import InputError
from mwork_eval.interchange.target import Target
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_neurons


def foreign_target(
    model: Any, like: NeuronSet | str | Path | None, revision: str | None = None, *, trust_remote_code: bool = False
) -> Target:
    """Return a model without weights.

    Args:
        model: Its name; None for that of ``like``.
        like: A set of it, or the reference of one; None for ``model``.
        revision: Which of the hub's it is.
        trust_remote_code: Run the code that the model brings, if it brings some.

    Raises:
        InputError: If not exactly one is given, or it is not found or understood.
    """
    if (model is None) == (like is None):
        raise InputError(
            "what an index means depends on the model",
            found="neither `model` nor `like`" if model is None else "both `model` and `like`",
            expected="the name of the model, or a neuron set of it",
        )
    if like is not None:
        neurons = like if isinstance(like, NeuronSet) else find_neurons(str(like))
        return Target(str(neurons.about.get("model", "an unnamed model")), neurons.shape)
    if not isinstance(model, str | Path):
        raise InputError("unusable model", found=shown_value(model), expected="the name of a model")
    from mwork_eval.models.inspection import inspect_model

    found = inspect_model(str(model), revision, trust_remote_code=trust_remote_code)
    return Target(str(model), found.layout.shape, found.layout)
