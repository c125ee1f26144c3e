"""Copy the files of a checkpoint with some lines changed, byte for byte and in pieces."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from mwork_eval.checkpoints.edit import Edit, Edits
from mwork_eval.checkpoints.stored_tensor import StoredTensor, stored_tensors

_PIECE = 8 * 2**20
Advance = Callable[[str, int], None]
"""Takes the name of a file and the number of bytes just done."""


def copy_with_edits(source: Path, target: Path, edits: Edits, advance: Advance) -> None:
    """Copy a safetensors file, and change lines of its tensors in the copy.

    Args:
        source: The file.
        target: The copy, which must not be there yet.
        edits: What is done, by name of tensor; those of other files are left aside.
        advance: Called with the bytes done.
    """
    with source.open("rb") as old, target.open("xb+") as new:
        while piece := old.read(_PIECE):
            new.write(piece)
            advance(source.name, len(piece))
        for stored in stored_tensors(source):
            for edit in edits.get(stored.name, ()):
                for first, last in pieces_of_edit(stored, edit):
                    new.seek(stored.offset(first))
                    content = new.read(stored.offset(last) - stored.offset(first))
                    tensor = stored.parse(content, last - first)
                    part_of(edit, first, last).write(tensor)
                    new.seek(stored.offset(first))
                    new.write(tensor.contiguous().view(torch.uint8).numpy().tobytes())
        new.flush()
        os.fsync(new.fileno())


def pieces_of_edit(stored: StoredTensor, edit: Edit) -> Sequence[tuple[int, int]]:
    """Return the pieces of a tensor in which an edit changes something."""
    if edit.along == 0:
        return list(stored.pieces())
    rows = edit.at[0]
    return [(first, last) for first, last in stored.pieces() if bool(((rows >= first) & (rows < last)).any())]


def part_of(edit: Edit, first: int, last: int) -> Edit:
    """Return what an edit does to a part of the first axis, from index ``first`` to the one before ``last``."""
    if edit.along == 0:
        return edit if edit.values is None else replace(edit, values=edit.values[..., first:last])
    inside = (edit.at[0] >= first) & (edit.at[0] < last)
    at = (edit.at[0][inside] - first, *(axis[inside] for axis in edit.at[1:]))
    # The axis is that of the whole tensor, which a part of its first one has, too.
    return replace(edit, at=at, values=None if edit.values is None else edit.values[inside])
