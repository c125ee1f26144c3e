"""Finished cells on disk: one jsonl file each, written whole or not at all, found again by what they are."""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import jsonlines
from filelock import FileLock, Timeout

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import LARGEST, dump, parse_as, parse_lines
from mwork_eval.files.locks import remove_lock_file
from mwork_eval.files.seal import sealed, unsealed
from mwork_eval.files.writing import write_atomically
from mwork_eval.hub.reference import is_hub
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.stored_cell import REVISION, StoredCell
from mwork_eval.results.task_score import TaskScore

_FORMAT = "mwork-cell"
_VERSION = 1
_SUFFIX = ".jsonl"
_SAMPLES_DIGEST = re.compile(rb', "samples_digest": "([0-9a-f]{64})"\}\s*$')
"""At the end of a head, which `save` writes there."""
_HINT = "delete it, or ask for `repair`; the cell is computed again"
MANIFEST = "manifest.json"


class CellStore:
    """The cells of a results folder, which several processes may fill at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "cells"

    def path(self, identity: str) -> Path:
        """Return the file of a cell."""
        return self._folder / f"{identity}{_SUFFIX}"

    @contextmanager
    def claim(self, identity: str) -> Iterator[bool]:
        """Claim a cell for this process during a block; the claim ends with the process, however that ends.

        What a killed process left half-written of the cell is removed.

        Returns:
            A context manager that gives True, or at once False if another process has the cell. After True, look
            again whether the cell is stored: another process may have finished it just before.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder / f"{identity}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            for half_written in self._folder.glob(f".{identity}{_SUFFIX}.*"):
                half_written.unlink(missing_ok=True)
            yield True
            # Only once the cell is stored: who holds a lock on the removed file then finds the cell.
            if self.path(identity).is_file():
                remove_lock_file(lock)
        finally:
            lock.release()

    def discard_left_behind(self) -> None:
        """Remove half-written cells and locks that killed processes left; a cell in work is left alone."""
        half_written = {path.name[1:].partition(_SUFFIX)[0] for path in self._folder.glob(f".*{_SUFFIX}.*")}
        locked = {path.stem for path in self._folder.glob("*.lock") if self.path(path.stem).is_file()}
        for identity in half_written | locked:
            with self.claim(identity):
                pass

    def discard_damaged(self) -> list[str]:
        """Remove the cells whose file is damaged, so that they are computed again.

        Returns:
            What was wrong with each.
        """
        reasons = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                self.read(path.stem)
                for _ in self.samples(path.stem):
                    pass
            except InputError as error:
                path.unlink()
                reasons.append(str(error))
        return reasons

    def read(self, identity: str) -> StoredCell | None:
        """Return what the head of a finished cell says, or None if it is not there.

        Raises:
            InputError: If the file is damaged.
        """
        path = self.path(identity)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            cell = _head(file, path)
        if (cell.format, cell.version, cell.identity) != (_FORMAT, _VERSION, identity):
            raise InputError(f"{path} is damaged", found="the header of another cell or version", hint=_HINT)
        return cell

    def load(self, identity: str) -> TaskScore | None:
        """Return the score of a finished cell, or None if it is not there.

        Raises:
            InputError: If the file is damaged.
        """
        cell = self.read(identity)
        return None if cell is None else cell.score

    def revisions(self) -> Iterator[tuple[str, int]]:
        """Yield the label and the revision of every stored cell.

        Raises:
            InputError: If a file is damaged.
        """
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            with path.open("rb") as file:
                cell = _head(file, path)
            yield cell.about.label, cell.revision

    def samples(self, identity: str) -> Iterator[dict[str, Any]]:
        """Yield lm-eval's samples of a stored cell.

        Raises:
            InputError: If the file is damaged.
        """
        path = self.path(identity)
        with path.open("rb") as file:
            told = _SAMPLES_DIGEST.search(unsealed(file.readline(LARGEST), path, _HINT))
            lines = file.read()
        digest = None if told is None else told[1].decode()
        if digest is not None and digest != (found := hashlib.sha256(lines).hexdigest()):
            raise InputError(
                f"{path} is damaged", found=f"samples with digest {found[:12]}", expected=digest[:12], hint=_HINT
            )
        try:
            # Earlier versions wrote minus infinity as JSON does not know it.
            yield from parse_lines(lines, foreign=digest is None)
        except ValueError as error:
            raise InputError(f"{path} is damaged", found=error, hint=_HINT) from error

    def related_samples(self, identity: str) -> Iterator[dict[str, Any]]:
        """Yield lm-eval's samples of the stored cells of the same model, mask and task: other documents or answers.

        Raises:
            InputError: If a file is damaged.
        """
        group, dash, _ = identity.partition("-")
        for path in sorted(self._folder.glob(f"{group}{dash}*{_SUFFIX}")) if dash else ():
            yield from self.samples(path.name.removesuffix(_SUFFIX))

    def save(
        self, identity: str, score: TaskScore, about: Mapping[str, Any], samples: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write a cell: a header line, then lm-eval's samples, one a line; the header has digests of both."""
        written = BytesIO()
        jsonlines.Writer(written, dumps=dump).write_all(samples)
        lines = written.getvalue()
        header = {
            "format": _FORMAT,
            "version": _VERSION,
            "identity": identity,
            "revision": REVISION,
            "about": about,
            "metric": score.metric,
            "higher_is_better": score.higher_is_better,
            "documents": score.documents,
            "metrics": {name: value for name, value in score.metrics.items() if math.isfinite(value)},
            "documents_digest": score.documents_digest,
            "clusters": score.clusters,
            "samples_digest": hashlib.sha256(lines).hexdigest(),
        }
        content = sealed(dump(header) + "\n").encode() + lines
        write_atomically(self.path(identity), lambda path: _write(path, content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _head(file: BinaryIO, path: Path) -> StoredCell:
    """Read the first line, and check its digest."""
    line = unsealed(file.readline(LARGEST), path, _HINT)
    cell = parse_as(StoredCell, line, path, _HINT)
    if cell.samples_digest is None and (reason := cell.contradiction):
        raise InputError(f"{path} is damaged", found=reason, hint=_HINT)
    return cell


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what the matrix consists of, and which cell stands for which row, language, seed and task."""
    manifest.save(folder / MANIFEST)


def load_manifest(folder: Path) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: If the folder has none, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        hint = "pull the repository into a folder first" if is_hub(folder.as_posix()) else "make them with `ablate`"
        raise InputError(f"{folder} holds no ablation results", found=f"no {MANIFEST}", hint=hint)
    return Manifest.read(path)
