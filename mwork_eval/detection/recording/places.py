"""The places whose activations are recorded, and columns that have a number for each of them."""

from collections.abc import Iterator, Mapping

import numpy as np

from mwork_eval.files.tensor_file import Array
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape

ACTIVE = ("q", "k", "v", "o", "up")
"""Structures with activations of their own; gate, up and down are one switch, whose activation stands under `up`."""


def places_with_activations(shape: ModelShape) -> Iterator[Place]:
    """Yield every (layer, structure) whose activations are recorded."""
    for layer, sizes in enumerate(shape.sizes):
        for structure in ACTIVE:
            if structure in sizes:
                yield layer, structure


def completed(found: Mapping[Place, Array], shape: ModelShape, rows: int | None = None) -> dict[Place, Array]:
    """Return a column with zeros for the places that could not be recorded.

    Args:
        found: What was recorded.
        shape: Neuron counts of the model.
        rows: Number of documents, where a column has a row for each.
    """
    dtype = next((array.dtype for array in found.values()), np.dtype(np.float32))
    whole = dict(found)
    for layer, structure in places_with_activations(shape):
        size = shape.sizes[layer][structure]
        if (layer, structure) not in whole:
            whole[layer, structure] = np.zeros(size if rows is None else (rows, size), dtype)
    return whole


def missing_of(found: Mapping[Place, Array], shape: ModelShape) -> list[str]:
    """Return the places that could not be recorded, such as `layers.3.up`."""
    return [f"layers.{layer}.{name}" for layer, name in places_with_activations(shape) if (layer, name) not in found]
