"""The neuron set's file: a safetensors file of index arrays, and what it says of itself."""

import re
from pathlib import Path

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import TensorHead, read_arrays, read_head, write_tensors
from mwork_eval.neurons.about import About
from mwork_eval.neurons.activation_values import Values, digest_of_activations, named_arrays
from mwork_eval.neurons.neuron_set import Indices, NeuronSet, Place
from mwork_eval.neurons.shape import ShapeValue

FORMAT = "mwork-neurons"
VERSION = 3
_WITHOUT_ACTIVATIONS = 2
"""The version before activations; still read, and written for a set that carries none."""
_WITHOUT_SHARED = 1
"""The version before shared neurons; still read, and written for a set whose shared neurons are not known."""

_HINT = "make it anew with `detect` or `select`"
_SHARED = "shared."
_ACTIVATIONS = "activations."
_NAME = re.compile(r"(shared\.)?layers\.(\d{1,9})\.(\w+)")
_VALUES_NAME = re.compile(r"activations\.([\w-]+\.[\w-]+)\.layers\.(\d{1,9})\.(\w+)")


class _SetHead(TensorHead):
    """What a set says of itself."""

    digest: str
    shape: ShapeValue
    about: About
    shared_digest: str | None = None
    activations_digest: str | None = None


def save_neuron_set(neurons: NeuronSet, path: Path) -> None:
    """Write a set, whole or not at all; equal sets with equal descriptions give equal bytes."""
    arrays = {f"layers.{layer}.{structure}": np.array(a) for (layer, structure), a in neurons.indices.items()}
    description = {"digest": neurons.digest, "shape": neurons.shape.to_json(), "about": dict(neurons.about)}
    version = _WITHOUT_SHARED
    if neurons.shared is not None:
        shared = NeuronSet(neurons.shape, neurons.shared)
        version, description["shared_digest"] = _WITHOUT_ACTIVATIONS, shared.digest
        arrays |= {f"{_SHARED}layers.{layer}.{name}": np.array(a) for (layer, name), a in shared.indices.items()}
    if neurons.activations:
        version, description["activations_digest"] = VERSION, digest_of_activations(neurons.activations)
        arrays |= {f"{_ACTIVATIONS}{name}": np.array(a) for name, a in named_arrays(neurons.activations).items()}
    write_tensors(path, (FORMAT, version), description, arrays)


def load_neuron_set(path: Path) -> NeuronSet:
    """Read a set and check format, version, ranges and digests.

    Raises:
        InputError: If the file is missing, damaged, of another format or of a newer version.
    """
    head = read_head(path, _SetHead, (FORMAT, VERSION), oldest=_WITHOUT_SHARED)
    indices: dict[Place, Indices] = {}
    shared: dict[Place, Indices] = {}
    activations: dict[str, dict[Place, Values]] = {}
    for name, array in read_arrays(path).items():
        if match := _VALUES_NAME.fullmatch(name):
            if array.dtype == np.float32 and array.ndim == 1:
                activations.setdefault(match[1], {})[int(match[2]), match[3]] = array
                continue
        elif (match := _NAME.fullmatch(name)) and array.dtype == np.int32 and array.ndim == 1:
            (shared if match[1] else indices)[int(match[2]), match[3]] = array
            continue
        raise InputError(
            f"{path} is no neuron set",
            found=f"{name} {array.dtype} {list(array.shape)}",
            expected="int32 [shared.]layers.N.STRUCTURE [n]",
        )
    # A set of version 3 may know nothing of shared neurons either.
    known = head.version == _WITHOUT_ACTIVATIONS or (head.version == VERSION and head.shared_digest is not None)
    shape = head.shape.shape
    try:
        neurons = NeuronSet(shape, indices, head.about.values, shared if known else None, activations)
        others = NeuronSet(shape, shared)
    except InputError as error:
        raise InputError(f"{path} is damaged", found=error, hint=_HINT) from error
    _check_digest(path, neurons.digest, head.digest)
    if known or shared:
        _check_digest(path, others.digest, head.shared_digest)
    if activations or head.version == VERSION:
        own = head.activations_digest if head.version == VERSION else None
        _check_digest(path, digest_of_activations(neurons.activations), own)
    return neurons


def _check_digest(path: Path, found: str, digest: str | None) -> None:
    if found != digest:
        raise InputError(
            f"{path} is damaged",
            found=f"digest {found[:12]}",
            expected=str(digest)[:12],
            hint=_HINT,
        )
