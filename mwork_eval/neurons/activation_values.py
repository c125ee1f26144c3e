"""Typical activations of a model's neurons, which a set carries for interventions that put them in place of others."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import digest_of_arrays
from mwork_eval.neurons.shape import ModelShape

Values = npt.NDArray[np.float32]
Activations = Mapping[str, Mapping[tuple[int, str], Values]]
"""By label, such as `mean.de`, and by (layer, structure), the values of all of its neurons `[neurons]`."""

MEAN, MEDIAN = "mean", "median"
RESIDUAL = "residual"
"""In place of a structure: the output of the layer `[d_model]`."""

_LABEL = re.compile(rf"({MEAN}|{MEDIAN})\.([A-Za-z0-9-]+)")


def frozen_activations(activations: Activations, shape: ModelShape) -> Activations:
    """Return a read-only copy of activations, labels and places in order.

    Args:
        activations: Under `mean.LANGUAGE` and `median.LANGUAGE`, per (layer, structure) the values of all neurons, and
            per (layer, "residual") those of the layer's output.
        shape: Neuron counts of the model.

    Raises:
        InputError: If a label is another, or values are not those of a place of the model: finite, as many as neurons.
    """
    frozen: dict[str, Mapping[tuple[int, str], Values]] = {}
    width: int | None = None
    for label in sorted(activations):
        if not _LABEL.fullmatch(label):
            raise InputError("unknown label of activations", found=label, expected="mean.LANGUAGE or median.LANGUAGE")
        of_label: dict[tuple[int, str], Values] = {}
        for layer, structure in sorted(activations[label]):
            where, values = f"{label}.layers.{layer}.{structure}", activations[label][layer, structure]
            inside = 0 <= layer < shape.layers
            if inside and structure == RESIDUAL:
                size = width = np.size(values) if width is None else width
            else:
                size = shape.sizes[layer].get(structure, 0) if inside else 0
            of_label[layer, structure] = _checked(values, where, size)
        frozen[label] = MappingProxyType(of_label)
    return MappingProxyType(frozen)


def _checked(values: npt.ArrayLike, where: str, size: int) -> Values:
    array = np.asarray(values, np.float32)
    if array.flags.writeable or not array.flags.owndata:  # those of another set are as they must be
        array = array.copy()
    if not size or array.shape != (size,):
        expected = f"[{size}]" if size else "a place of the model"
        raise InputError(f"activations {where} are not of the model", found=list(array.shape), expected=expected)
    if not np.isfinite(array).all():
        raise InputError(f"activations {where} hold a value that is no number", expected="finite numbers")
    array.setflags(write=False)
    return array


def named_arrays(activations: Activations) -> dict[str, Values]:
    """Return the arrays by the names they have in files: `mean.de.layers.0.up`."""
    return {
        f"{label}.layers.{layer}.{structure}": values
        for label, of_label in activations.items()
        for (layer, structure), values in of_label.items()
    }


def digest_of_activations(activations: Activations) -> str:
    """Return a digest of activations with their labels and places."""
    return digest_of_arrays(named_arrays(activations).items())


def digest_of_values(values: Mapping[tuple[int, str], Any]) -> str:
    """Return a digest of some values by (layer, structure)."""
    return digest_of({f"{layer}.{structure}": np.asarray(one).tolist() for (layer, structure), one in values.items()})
