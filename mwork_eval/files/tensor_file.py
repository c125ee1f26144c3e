"""Safetensors files of ours: one metadata key says what a file is, with digests of the description and the arrays."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mwork_eval.digests import canonical_json, digest_of
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue, dump, parse, value_as
from mwork_eval.files.seal import name_unprotected
from mwork_eval.files.writing import write_atomically

Array = npt.NDArray[Any]
_KEY = "mwork"
_SEAL = "description_digest"
_LENGTH = 8
"""Bytes of the number that says how long the header of a safetensors file is."""


class TensorHead(FileValue):
    """What the metadata of every kind of file says."""

    format: str
    version: int


Head = TypeVar("Head", bound=TensorHead)


def write_tensors(
    path: Path,
    form: tuple[str, int],
    description: Mapping[str, Any],
    arrays: Mapping[str, Any],
    save: Callable[..., None] = save_file,
) -> None:
    """Write a file, whole or not at all; equal arrays with equal descriptions give equal bytes.

    safetensors writes metadata keys in random order, hence the single one.

    Args:
        path: The file.
        form: Its format and version.
        description: What else its metadata says, JSON values; digests of the arrays among them.
        arrays: The arrays by name.
        save: How safetensors writes them: `safetensors.torch.save_file` for tensors.
    """
    metadata = parse(dump({"format": form[0], "version": form[1], **description}))  # nothing that JSON has not
    text = canonical_json({**metadata, _SEAL: digest_of(metadata)})

    def write(temporary: Path) -> None:
        try:
            save(dict(arrays), temporary, {_KEY: text})
        except SafetensorError as error:  # a full disk, for example
            raise OSError(f"{path} cannot be written: {error}") from error

    write_atomically(path, write)


def digest_of_arrays(arrays: Iterable[tuple[str, Array]]) -> str:
    """Return the SHA-256 of arrays with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays, key=lambda pair: pair[0]):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def read_head(path: Path, kind: type[Head], form: tuple[str, int], *, oldest: int | None = None) -> Head:
    """Read the description alone, check its digest, and that the file is whole.

    Args:
        path: The file.
        kind: The type of the description.
        form: The format and version it must have.
        oldest: The oldest version that can be read, too; none but the one of ``form`` if not given.

    Raises:
        InputError: If the file is missing, truncated, damaged, of another format or of a newer version.
    """
    file_format, version = form
    if not path.is_file():
        raise InputError("file not found", found=path, expected=f"a {file_format} file")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
        metadata = parse(text) if text else {}
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read", found=error, expected=f"a {file_format} file") from error
    if not isinstance(metadata, dict):
        raise InputError(f"{path} is damaged", found=f"metadata that are a {type(metadata).__name__}")
    if metadata.get("format") != file_format:
        raise InputError(
            f"{path} is of another kind", found=metadata.get("format", "no mwork metadata"), expected=file_format
        )
    found = metadata.get("version")
    if type(found) is not int or not (version if oldest is None else oldest) <= found <= version:
        raise InputError(
            f"{path} has an unknown version", found=found, expected=version, hint="a newer mwork-eval may read it"
        )
    digest = metadata.pop(_SEAL, None)
    if digest is None:
        name_unprotected(path)
    elif digest != (own := digest_of(metadata)):
        raise InputError(
            f"{path} is damaged, or its description was changed", found=f"digest {own[:12]}", expected=str(digest)[:12]
        )
    return value_as(kind, metadata, path)


def metadata_of(path: Path) -> dict[str, Any]:
    """Return what a safetensors file of ours says of itself, unchecked; nothing of any other file."""
    try:
        with safe_open(path, framework="numpy") as file:
            found = parse((file.metadata() or {}).get(_KEY) or "{}")
    except (SafetensorError, ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def header_of(content: bytes) -> bytes:
    """Return the header of a safetensors file, as far as its bytes are given."""
    return content[_LENGTH : _LENGTH + int.from_bytes(content[:_LENGTH], "little")]


def with_metadata(path: Path, metadata: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file of ours with another description, of which it gets the digest; its arrays stay.

    Args:
        path: The file, whose description was checked.
        metadata: The description, as `metadata_of` gives it.
    """
    content = path.read_bytes()
    before = header_of(content)
    header = parse(before)
    said = {name: value for name, value in metadata.items() if name != _SEAL}
    header["__metadata__"] = {_KEY: canonical_json({**said, _SEAL: digest_of(said)})}
    text = canonical_json(header).encode()
    text += b" " * (-len(text) % _LENGTH)  # arrays begin at multiples of eight bytes
    return len(text).to_bytes(_LENGTH, "little") + text + content[_LENGTH + len(before) :]


def read_arrays(path: Path, names: Callable[[str], bool] = lambda _: True) -> dict[str, Array]:
    """Read the arrays of a file whose head was read.

    Args:
        path: The file.
        names: Tells whether an array of that name belongs there.

    Raises:
        InputError: If one does not, or is of a type that numpy does not have, such as bfloat16.
    """
    with safe_open(path, framework="numpy") as file:
        found = {}
        for name in file.keys():  # noqa: SIM118
            if not names(name):
                raise InputError(f"{path} is damaged", found=f"an array {name!r}")
            try:
                found[name] = file.get_tensor(name)
            except (SafetensorError, TypeError, ValueError, AttributeError) as error:
                raise InputError(f"{path} is damaged", found=f"{name} of a type that is not read ({error})") from error
        return found
