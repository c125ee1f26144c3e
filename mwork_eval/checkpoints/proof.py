"""Proof that a copy of a checkpoint differs from it in the lines it should, and in nothing else."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch

from mwork_eval.checkpoints.copying import Advance, part_of
from mwork_eval.checkpoints.edit import Edit, Edits
from mwork_eval.checkpoints.stored_tensor import StoredTensor, stored_tensors
from mwork_eval.errors import InputError

Tensor = torch.Tensor
_PIECE = 8 * 2**20


@dataclass(frozen=True)
class Difference:
    """What differs in a tensor.

    Attributes:
        name: Its name.
        lines: Number of lines that were to be changed: rows, columns or single numbers.
        changed: Number of single values that differ; those that were zero before do not.
        values: Number of all its values.
    """

    name: str
    lines: int
    changed: int
    values: int


def prove(source: Path, copy: Path, edits: Edits, advance: Advance) -> list[Difference]:
    """Compare a file and its copy byte by byte.

    Args:
        source: The file.
        copy: Its copy.
        edits: What should have been done to it, by name of tensor.
        advance: Called with the bytes done.

    Returns:
        The tensors that edits are about.

    Raises:
        InputError: If a byte outside of the edited lines differs, or a line is not what it should be.
    """
    tensors = stored_tensors(source)
    edited = [one for one in tensors if one.name in edits]
    with source.open("rb") as old, copy.open("rb") as new:
        position = 0
        for stored in [*edited, None]:
            _check_equal(old, new, position, stored.start if stored else source.stat().st_size, copy, advance)
            position = stored.stop if stored else position
        if new.read(1):
            raise _damaged(copy, "bytes behind the last tensor")
        found = []
        for stored in edited:
            changed = _check_tensor(old, new, stored, edits[stored.name], copy)
            lines = sum(len(edit.at[0]) for edit in edits[stored.name])
            found.append(Difference(stored.name, lines, changed, _size(stored)))
            advance(source.name, stored.stop - stored.start)
    return found


def _check_equal(old: BinaryIO, new: BinaryIO, start: int, stop: int, copy: Path, advance: Advance) -> None:
    old.seek(start)
    new.seek(start)
    while start < stop:
        piece = old.read(min(_PIECE, stop - start))
        if piece != new.read(len(piece)):
            raise _damaged(copy, f"other bytes from byte {start} on")
        start += len(piece)
        advance(copy.name, len(piece))


def _check_tensor(old: BinaryIO, new: BinaryIO, stored: StoredTensor, edits: tuple[Edit, ...], copy: Path) -> int:
    """Compare a tensor with what it should be, in pieces; returns how many of its values differ."""
    changed = 0
    for first, last in stored.pieces():
        start, size = stored.offset(first), stored.offset(last) - stored.offset(first)
        old.seek(start)
        new.seek(start)
        before, after = stored.parse(old.read(size), last - first), stored.parse(new.read(size), last - first)
        expected, touched = before.clone(), torch.zeros(before.shape, dtype=torch.bool)
        for edit in edits:
            part = part_of(edit, first, last)
            part.write(expected)
            Edit(part.along, part.at, torch.ones(())).write(touched)
        differs = _bits(after) != _bits(before)
        if (differs & ~touched).any() or (_bits(after) != _bits(expected)).any():
            raise _damaged(copy, f"{stored.name} is not what it should be")
        changed += int(differs.sum())
    return changed


def _bits(tensor: Tensor) -> Tensor:
    return tensor.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.dtype.itemsize])


def _size(stored: StoredTensor) -> int:
    return (stored.stop - stored.start) // stored.dtype.itemsize


def _damaged(copy: Path, what: str) -> InputError:
    return InputError(
        f"{copy.name} is no copy of its source",
        found=what,
        hint="disk or source changed meanwhile; run it again",
    )
