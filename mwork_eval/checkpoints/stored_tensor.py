"""Tensors in safetensors files: where their bytes are, read and written in pieces."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

import torch

from mwork_eval.errors import InputError

Tensor = torch.Tensor

_TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Names of safetensors for types in which weights can be zeros and fractions; other names stand for packed weights."""
_PIECE = 4 * 2**20
"""Bytes of a tensor in memory at a time, or one of its rows if that is more."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a safetensors file.

    Attributes:
        file: The file.
        name: Its name there.
        type_name: Name of its type in safetensors, such as `BF16`.
        shape: Its shape.
        start: Where its first byte is in the file.
        stop: Where the byte behind its last one is.
    """

    file: Path
    name: str
    type_name: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def dtype(self) -> torch.dtype:
        """Its type.

        Raises:
            InputError: If it is no floating-point type that every program reads.
        """
        if self.type_name not in _TYPES:
            raise InputError(
                f"{self.name} is stored in a packed type",
                found=self.type_name,
                expected=" ".join(_TYPES),
                hint="take the checkpoint that was not quantised; what you make of it can be quantised afterwards",
            )
        return _TYPES[self.type_name]

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield parts of the first axis, each as its first index and the one behind its last."""
        rows = self.shape[0] if self.shape else 1
        step = max(1, _PIECE * rows // max(1, self.stop - self.start))
        yield from ((first, min(first + step, rows)) for first in range(0, rows, step))

    def offset(self, row: int) -> int:
        """Return where an index of the first axis begins in the file."""
        rows = self.shape[0] if self.shape else 1
        return self.start + (self.stop - self.start) // max(rows, 1) * row

    def parse(self, content: bytes | bytearray, rows: int) -> Tensor:
        """Return a part of the first axis `[rows, ...]` as a tensor."""
        return torch.frombuffer(bytearray(content), dtype=self.dtype).view(rows, *self.shape[1:])

    def values(self, at: tuple[Tensor, ...]) -> Tensor:
        """Read single values.

        Args:
            at: Per axis, their indices `[n]`; nothing for that of a tensor without axes.

        Returns:
            The values `[n]`.
        """
        width = self.dtype.itemsize
        flat = torch.zeros_like(at[0]) if at else torch.zeros(1, dtype=torch.int64)
        for axis, size in zip(at, self.shape, strict=True):
            flat = flat * size + axis
        found = bytearray()
        with self.file.open("rb") as file:
            for number in flat.tolist():
                file.seek(self.start + number * width)
                found += file.read(width)
        return torch.frombuffer(found, dtype=self.dtype) if found else torch.empty(0, dtype=self.dtype)


def stored_tensors(file: Path) -> list[StoredTensor]:
    """Return the tensors of a safetensors file in the order of their bytes; no weights are read.

    Raises:
        InputError: If the file is damaged.
    """
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            whole = file.stat().st_size
            if not 2 <= size <= whole - 8:
                raise ValueError(f"a header of {size} bytes in a file of {whole}")
            header = json.loads(opened.read(size))
        found = []
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            first, last = entry["data_offsets"]
            shape = tuple(int(axis) for axis in entry["shape"])
            found.append(StoredTensor(file, name, str(entry["dtype"]), shape, 8 + size + first, 8 + size + last))
            _check(found[-1], whole)
        found.sort(key=lambda one: (one.start, one.stop))
        for before, one in pairwise(found):
            if one.start < before.stop:
                raise ValueError(f"{before.name} and {one.name} have bytes in common")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged", found=error, expected="a safetensors file") from error
    return found


def _check(one: StoredTensor, whole: int) -> None:
    if not 8 <= one.start <= one.stop <= whole:
        raise ValueError(f"{one.name} reaches to byte {one.stop} in a file of {whole}")
    if one.type_name in _TYPES and prod(one.shape) * one.dtype.itemsize != one.stop - one.start:
        raise ValueError(f"{one.name} {list(one.shape)} has {one.stop - one.start} bytes")
