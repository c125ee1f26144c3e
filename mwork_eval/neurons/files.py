"""The neuron set's file: a safetensors file of index arrays and one JSON metadata key."""

import json
import re
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mwork_eval.digests import canonical_json, write_atomically
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import Indices, NeuronSet, Place
from mwork_eval.neurons.shape import ModelShape

FORMAT = "mwork-neurons"
VERSION = 2
_WITHOUT_SHARED = 1
"""The version before shared neurons; still read, and written for a set whose shared neurons are not known."""

_SHARED = "shared."
_NAME = re.compile(r"(shared\.)?layers\.(\d+)\.(\w+)")


def save_neuron_set(neurons: NeuronSet, path: Path) -> None:
    """Write a set; equal sets with equal descriptions give equal bytes.

    safetensors writes metadata keys in random order, hence the single key.
    """
    arrays = {f"layers.{layer}.{structure}": np.array(a) for (layer, structure), a in neurons.indices.items()}
    metadata = {
        "format": FORMAT,
        "version": _WITHOUT_SHARED,
        "digest": neurons.digest,
        "shape": neurons.shape.to_json(),
        "about": dict(neurons.about),
    }
    if neurons.shared is not None:
        shared = NeuronSet(neurons.shape, neurons.shared)
        metadata |= {"version": VERSION, "shared_digest": shared.digest}
        arrays |= {f"{_SHARED}layers.{layer}.{name}": np.array(a) for (layer, name), a in shared.indices.items()}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, {"mwork": canonical_json(metadata)}))


def load_neuron_set(path: Path) -> NeuronSet:
    """Read a set and check format, version, ranges and digest.

    Raises:
        InputError: If the file is missing, damaged, of another format or of a newer version.
    """
    metadata, arrays = read_mwork_file(path, FORMAT, VERSION, {"shape", "digest", "about"}, oldest=_WITHOUT_SHARED)
    indices: dict[Place, Indices] = {}
    shared: dict[Place, Indices] = {}
    for name, array in arrays.items():
        match = _NAME.fullmatch(name)
        if match is None or array.dtype != np.int32:
            raise InputError(
                f"{path} is no neuron set", found=f"{name} {array.dtype}", expected="int32 [shared.]layers.N.STRUCTURE"
            )
        (shared if match[1] else indices)[int(match[2]), match[3]] = array
    shape, known = ModelShape.from_json(metadata["shape"]), metadata["version"] == VERSION
    neurons = NeuronSet(shape, indices, metadata["about"], shared if known else None)
    _check_digest(path, neurons, metadata["digest"])
    if known or shared:
        _check_digest(path, NeuronSet(shape, shared), str(metadata.get("shared_digest")))
    return neurons


def _check_digest(path: Path, neurons: NeuronSet, digest: str) -> None:
    if neurons.digest != digest:
        raise InputError(
            f"{path} is damaged",
            found=f"digest {neurons.digest[:12]}",
            expected=digest[:12],
            hint="make it anew with `detect` or `select`",
        )


def read_mwork_file(
    path: Path, file_format: str, version: int, entries: Set[str], *, oldest: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a safetensors file whose metadata key ``mwork`` names its format and version and has certain entries.

    Args:
        path: The file.
        file_format: The format it must have.
        version: The version it must have.
        entries: What its metadata must have besides.
        oldest: The oldest version that can be read, too; none but ``version`` if not given.

    Returns:
        The metadata, and the arrays by name.

    Raises:
        InputError: If the file is missing, truncated, of another format or of a newer version.
    """
    metadata = read_mwork_metadata(path, file_format, version, entries, oldest=oldest)
    with safe_open(path, framework="numpy") as file:
        return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_mwork_metadata(
    path: Path, file_format: str, version: int, entries: Set[str], *, oldest: int | None = None
) -> dict[str, Any]:
    """Read the metadata alone, and check that the file is whole.

    Raises:
        InputError: As `read_mwork_file` does.
    """
    if not path.is_file():
        raise InputError("file not found", found=path, expected=f"a {file_format} file")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("mwork")
        metadata: dict[str, Any] = json.loads(text) if text else {}
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read", found=str(error).splitlines()[0], expected=f"a {file_format} file"
        ) from error
    if metadata.get("format") != file_format:
        raise InputError(
            f"{path} is of another kind",
            found=metadata.get("format", "no mwork metadata"),
            expected=file_format,
        )
    if metadata.get("version") not in range(oldest or version, version + 1):
        raise InputError(
            f"{path} has an unknown version",
            found=metadata.get("version"),
            expected=version,
            hint="a newer mwork-eval may read it",
        )
    if missing := entries - set(metadata):
        raise InputError(f"{path} is damaged", found=f"no {', '.join(sorted(missing))} in its metadata")
    return metadata
