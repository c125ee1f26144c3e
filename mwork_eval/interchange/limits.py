"""How much of a foreign file is read, and the checks that all formats share."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import read_bytes

MOST_TEXT = 2**26
"""Bytes of a text file: some ten million indices."""


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """Read a text file.

    Raises:
        InputError: If it is missing, too large, or no UTF-8.
    """
    if not path.is_file():
        raise InputError("file not found", found=path, expected="a file to import")
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise damaged(path, f"no text in UTF-8 (byte {error.start})", "a text file") from error


def damaged(path: Path, found: object, expected: str) -> InputError:
    """Return the error for a file that is not what its format says."""
    return InputError(f"{path} cannot be read", found=found, expected=expected, hint="look at `format`")


def checked_indices(path: Path, where: str, values: Any, size: int) -> list[int]:
    """Return indices of neurons from a list or a one-dimensional tensor or array, each once, in their order.

    Args:
        path: The file, for messages.
        where: The place, for messages.
        values: What the file has there.
        size: The number of neurons there.

    Raises:
        InputError: If one is no integer, out of range, or there twice.
    """
    array = _as_array(path, where, values, size)
    if array.size and (array.min() < 0 or array.max() >= size):
        raise InputError(
            f"{path} does not fit the model",
            found=f"index {array.min() if array.min() < 0 else array.max()} in {where}",
            expected=f"0 to {size - 1}" if size else "no neuron there",
            hint="look at the model and the format",
        )
    if len(np.unique(array)) != array.size:
        raise InputError(f"{path} cannot be read", found=f"an index twice in {where}", expected="distinct indices")
    indices: list[int] = array.tolist()
    return indices


def _as_array(path: Path, where: str, values: Any, size: int) -> npt.NDArray[np.int64]:
    form = damaged(path, f"{where}: {_described(values)}", f"at most {size} indices")
    if hasattr(values, "numel"):
        # What a tensor promises is checked before it becomes that many numbers: a view may repeat one number.
        if values.dim() != 1 or values.numel() > size or "int" not in str(values.dtype):
            raise form
        return np.asarray(values.numpy(), np.int64)
    if not isinstance(values, list | tuple) or len(values) > size:
        raise form
    if not all(type(one) is int and abs(one) < 2**62 for one in values):
        raise damaged(path, f"{where}: an index that is no integer", "integers")
    return np.array(values, np.int64)


def _described(values: Any) -> str:
    if hasattr(values, "numel"):
        return f"a tensor {str(values.dtype).removeprefix('torch.')} {list(values.shape)}"
    return f"{len(values)} values" if isinstance(values, list | tuple) else f"a {type(values).__name__}"
