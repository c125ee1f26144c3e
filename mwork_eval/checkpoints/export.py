"""Write a complete checkpoint with neurons changed: whole or not at all, and proven."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mwork_eval.checkpoints.card import CARD, RECORD, card_text, record_text
from mwork_eval.checkpoints.checkpoint import Checkpoint
from mwork_eval.checkpoints.copying import Advance, copy_with_edits
from mwork_eval.checkpoints.edit import Edits
from mwork_eval.checkpoints.folder import files_beside, states_of
from mwork_eval.checkpoints.proof import Difference, prove
from mwork_eval.errors import InputError
from mwork_eval.files.locks import remove_lock_file

_SPARE = 64 * 2**20
"""Bytes that a disk needs beside the files."""


@dataclass(frozen=True)
class WrittenCheckpoint:
    """A checkpoint that was written.

    Attributes:
        folder: Where.
        differences: The tensors in which it differs from its source, in the order of the files.
        left_out: Names of files of the source that it has not: weights in other forms, and what goes with them.
    """

    folder: Path
    differences: tuple[Difference, ...]
    left_out: tuple[str, ...]


def byte_count(checkpoint: Checkpoint) -> int:
    """Return the number of bytes that `write_checkpoint` reports as done: the weights, written and compared."""
    return 2 * sum(file.stat().st_size for file in checkpoint.files)


def write_checkpoint(
    checkpoint: Checkpoint, edits: Edits, about: Mapping[str, Any], folder: Path, advance: Advance
) -> WrittenCheckpoint:
    """Write a copy of a checkpoint with some lines changed; its folder appears when all is written and proven.

    Files and their names, layouts, types and headers are those of the source. Memory is that of some MiB of a tensor.

    Args:
        checkpoint: The source.
        edits: What is changed.
        about: What the copy says of itself: what was done, to which model; JSON values.
        folder: The new folder, which must not be there, or be empty.
        advance: Called with the bytes done.

    Raises:
        InputError: If the folder cannot be had, the disk is too small, the source changes, or the copy is not
            what it should be.
    """
    check_target(checkpoint, folder)
    name, folder = folder, folder.resolve()  # a link may stand for it
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.parent / f".{folder.name}.unfinished"
    lock = FileLock(f"{partial}.lock", timeout=0)
    try:
        with lock:
            # What a killed export left; the lock says that none goes on.
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                written = _write(checkpoint, edits, about, folder, partial, advance)
                return replace(written, folder=name)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
                remove_lock_file(lock)
    except Timeout as error:
        raise InputError(
            f"another process exports to {folder} now", hint="wait for it, or take another folder"
        ) from error


def check_target(checkpoint: Checkpoint, folder: Path) -> None:
    """Raise unless a folder can become a copy of a checkpoint.

    Raises:
        InputError: If it is there and not empty, cannot be replaced, is within the source, or the disk is too small.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already", expected="a folder that is new or empty")
    place = folder.resolve()
    if (is_mount := place.is_mount()) or place == Path.cwd():
        raise InputError(
            f"{folder} cannot be replaced by a folder that is whole at once",
            found="a mount point" if is_mount else "the folder you are in",
            expected="a folder in it",
        )
    if place.is_relative_to(checkpoint.folder.resolve()):
        raise InputError("a checkpoint cannot be written into itself", found=folder, expected="a folder elsewhere")
    existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    needed = sum(file.stat().st_size for file in checkpoint.files) + _SPARE
    if (free := shutil.disk_usage(existing).free) < needed:
        raise InputError(
            f"no room for the checkpoint in {folder}", found=f"{free / 1e9:.2f} GB", expected=f"{needed / 1e9:.2f} GB"
        )


def _write(
    checkpoint: Checkpoint, edits: Edits, about: Mapping[str, Any], folder: Path, partial: Path, advance: Advance
) -> WrittenCheckpoint:
    beside = [file for file in files_beside(checkpoint.folder) if file.name not in (CARD, RECORD)]
    for file in beside:
        target = partial / file.relative_to(checkpoint.folder)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)
    differences = []
    for file in checkpoint.files:
        copy_with_edits(file, partial / file.name, edits, advance)
        differences += prove(file, partial / file.name, edits, advance)
    (partial / RECORD).write_text(record_text(about, differences), encoding="utf-8")
    (partial / CARD).write_text(card_text(about, differences), encoding="utf-8")
    if states_of(checkpoint.files) != checkpoint.states:
        raise InputError(f"{checkpoint.folder} changed while it was copied", hint="run it again")
    taken = (file.relative_to(checkpoint.folder).parts[0] for file in (*beside, *checkpoint.files))
    kept = {*taken, CARD, RECORD, ".gitattributes"}
    left = sorted(one.name for one in checkpoint.folder.iterdir() if one.name not in kept and one.name[:5] != "mwork")
    _sync(partial)
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    return WrittenCheckpoint(folder, tuple(differences), tuple(left))


def _sync(folder: Path) -> None:
    # Windows brings to disk only what may be written to, and no folders.
    posix = os.name == "posix"
    for file in folder.rglob("*"):
        if not posix and file.is_dir():
            continue
        descriptor = os.open(file, os.O_RDONLY if posix else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
