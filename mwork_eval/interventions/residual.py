"""Steer the residual stream: add the difference of two languages' means to what layers put out."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from mwork_eval.errors import InputError
from mwork_eval.interventions.grammar import check_number, read_language, written
from mwork_eval.interventions.towards import RECORD_HINT, labelled
from mwork_eval.languages.table import check_language
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.activation_values import MEAN, RESIDUAL, Values
from mwork_eval.neurons.neuron_set import NeuronSet

_OPTIONS = ("from", "layers", "strength")


def read_direction(text: str) -> dict[str, Any]:
    """Read `LANGUAGE[:from=LANGUAGE][:layers=A-B][:strength=S]`.

    Raises:
        InputError: If it is no direction.
    """
    language, options = read_language("residual", text, _OPTIONS)
    value: dict[str, Any] = {"language": language, **options}
    if "layers" in options:
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", options["layers"])
        if match is None:
            expected = "numbers of layers from 0, such as 8-12 or 8"
            raise InputError("unusable layers of residual", found=repr(options["layers"]), expected=expected)
        value["layers"] = [int(match[1]), int(match[2] or match[1])]
    return check_direction(value)


def check_direction(value: Any) -> dict[str, Any]:
    """Return a direction: `language`, and `from`, `layers` and `strength` where they are not the usual ones.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(value, Mapping) or not {"language"} <= value.keys() <= {"language", *_OPTIONS}:
        expected = f"a language, and some of {' '.join(_OPTIONS)}"
        raise InputError("no direction of residual", found=repr(value), expected=expected)
    found: dict[str, Any] = {"language": check_language(value["language"])}
    if value.get("from") is not None:
        found["from"] = check_language(value["from"])
        if found["from"] == found["language"]:
            raise InputError("residual from a language to itself", found=found["from"], expected="two languages")
    layers = value.get("layers")
    if layers is not None:
        if not _is_range(layers):
            raise InputError("unusable layers of residual", found=repr(layers), expected="the first and the last one")
        found["layers"] = [int(one) for one in layers]
    strength = check_number("the strength of residual", value.get("strength", 1))
    return found if strength == 1 else {**found, "strength": strength}


def _is_range(layers: Any) -> bool:
    is_pair = isinstance(layers, list | tuple) and len(layers) == 2 and all(type(one) is int for one in layers)
    return is_pair and 0 <= layers[0] <= layers[1]


def write_direction(value: Mapping[str, Any]) -> str:
    """Return a direction as text."""
    options: dict[str, Any] = {name: value[name] for name in _OPTIONS if name in value}
    if "layers" in options:
        options["layers"] = "-".join(map(str, value["layers"]))
    return written(value["language"], options)


def vectors_of(neurons: NeuronSet, value: Mapping[str, Any]) -> dict[int, Values]:
    """Return by layer what is added to its output `[d_model]`: strength · (mean of the language − mean of `from`).

    Without `from` it is the mean over all other languages that the set carries, each counted once.

    Args:
        neurons: The set; only what it carries is read.
        value: The direction.

    Raises:
        InputError: If the set does not carry the means, or the model has no such layers.
    """
    target, language = labelled(neurons, f"{MEAN}.{value['language']}"), value["language"]
    if "from" in value:
        others = [labelled(neurons, f"{MEAN}.{value['from']}")]
    else:
        labels = [label for label in neurons.activations if label.startswith(f"{MEAN}.")]
        others = [neurons.activations[label] for label in labels if label != f"{MEAN}.{language}"]
    if not others:
        raise InputError(
            "the neuron set carries no other language's means", found=f"{MEAN}.{language} alone", hint=RECORD_HINT
        )
    first, last = value.get("layers", (0, neurons.shape.layers - 1))
    if last >= neurons.shape.layers:
        expected = f"0 to {neurons.shape.layers - 1}"
        raise InputError("the model has no such layers", found=f"layers={first}-{last}", expected=expected)
    found = {}
    for layer in range(first, last + 1):
        place = (layer, RESIDUAL)
        if any(place not in means for means in (target, *others)):
            raise InputError(
                "the neuron set lacks mean outputs of layers", found=f"no layers.{layer}.{RESIDUAL}", hint=RECORD_HINT
            )
        difference = target[place].astype(np.float64) - np.mean([means[place] for means in others], 0, np.float64)
        found[layer] = (value.get("strength", 1) * difference).astype(np.float32)
    return found


def used_vectors(neurons: NeuronSet, value: Mapping[str, Any]) -> dict[str, Values]:
    """Return what is added, by the layers' names: what an answer depends on."""
    return {f"layers.{layer}.{RESIDUAL}": vector for layer, vector in vectors_of(neurons, value).items()}


def steer_residual(layout: Layout, neurons: NeuronSet, value: Mapping[str, Any]) -> SliceEditor:
    """Add vectors to the outputs of layers at every token; the neurons of the set are not touched.

    Returns:
        What undoes it when it is closed.

    Raises:
        InputError: If the set does not carry the means.
    """
    vectors = vectors_of(neurons, value)
    with SliceEditor() as undo:
        for layer, vector in vectors.items():
            hook = layout.layers[layer].register_forward_hook(partial(_add, torch.from_numpy(vector)))
            undo.callback(hook.remove)
        return undo.pop_all()


def _add(vector: torch.Tensor, _: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
    # Layers of some architectures return more than states.
    states, *rest = output if isinstance(output, tuple) else (output,)
    changed = states + vector.to(states)
    return (changed, *rest) if isinstance(output, tuple) else changed
