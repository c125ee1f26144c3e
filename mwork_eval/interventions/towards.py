"""Put typical activations of a language in place of those of neurons: `mean` its own, `towards` those of another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import replace_activations
from mwork_eval.interventions.grammar import read_language, written
from mwork_eval.languages.table import check_language
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.activation_values import MEAN, MEDIAN, Values
from mwork_eval.neurons.neuron_set import NeuronSet, Place

RECORD_HINT = "detect again with `record=activations`, and select with `activations=True`"
_STATISTICS = (MEAN, MEDIAN)


def read_target(text: str) -> dict[str, Any]:
    """Read `LANGUAGE[:statistic=mean|median]`.

    Raises:
        InputError: If it is none.
    """
    language, options = read_language("towards", text, ["statistic"])
    return check_target({"language": language, **options})


def check_target(value: Any) -> dict[str, Any]:
    """Return a target: `language`, and `statistic` if it is not the mean.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(value, Mapping) or not {"language"} <= value.keys() <= {"language", "statistic"}:
        raise InputError("no target of towards", found=repr(value), expected="a language, and a statistic if you like")
    statistic = value.get("statistic", MEAN)
    if statistic not in _STATISTICS:
        raise InputError("unknown statistic of towards", found=repr(statistic), expected=" or ".join(_STATISTICS))
    language = check_language(value["language"])
    return {"language": language} if statistic == MEAN else {"language": language, "statistic": statistic}


def write_target(value: Mapping[str, Any]) -> str:
    """Return a target as text."""
    return written(value["language"], {name: one for name, one in value.items() if name != "language"})


def own_mean(neurons: NeuronSet) -> dict[str, Any]:
    """Return the target of `mean`: the language of the set.

    Raises:
        InputError: If the set does not say its language.
    """
    language = neurons.about.get("language")
    if not isinstance(language, str):
        raise InputError("the neuron set does not say whose it is", expected="a language", hint="name it: towards:de")
    return {"language": language}


def labelled(neurons: NeuronSet, label: str) -> Mapping[Place, Values]:
    """Return the activations that a set carries under a label.

    Raises:
        InputError: If it carries none.
    """
    if label not in neurons.activations:
        raise InputError(
            "the neuron set lacks activations that the intervention needs",
            found=" ".join(neurons.activations) or "a set without activations",
            expected=label,
            hint=RECORD_HINT,
        )
    return neurons.activations[label]


def target_values(neurons: NeuronSet, target: Mapping[str, Any]) -> Mapping[Place, Values]:
    """Return the constants of a target, of all neurons of the places where the set has any.

    Raises:
        InputError: If the set does not carry them.
    """
    label = f"{target.get('statistic', MEAN)}.{target['language']}"
    found = labelled(neurons, label)
    for layer, structure, _ in neurons.switches():
        if (layer, structure) not in found:
            raise InputError(
                "the neuron set lacks activations of some of its neurons",
                found=f"{label} without layers.{layer}.{structure}",
                expected="those of all of its neurons",
                hint=RECORD_HINT,
            )
    return found


def used_constants(neurons: NeuronSet, target: Mapping[str, Any]) -> dict[str, Values]:
    """Return the constants of the set's own neurons, in the order of their indices: what an answer depends on."""
    values = target_values(neurons, target)
    return {
        f"layers.{layer}.{structure}": values[layer, structure][np.sort(members)]
        for layer, structure, members in neurons.switches()
    }


def move_towards(layout: Layout, neurons: NeuronSet, target: Mapping[str, Any]) -> SliceEditor:
    """Replace the activations of neurons by a target's, at every token: of all of them, or of none.

    Returns:
        What undoes it when it is closed.

    Raises:
        InputError: If the set does not carry the activations.
    """
    values = target_values(neurons, target)
    with SliceEditor() as undo:
        replace_activations(layout, neurons.indices, values, undo)
        return undo.pop_all()
