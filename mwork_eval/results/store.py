"""Finished cells on disk: one jsonl file each, written whole or not at all, found again by what they are."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonlines
from filelock import FileLock, Timeout

from mwork_eval.digests import write_atomically, write_text_atomically
from mwork_eval.errors import InputError
from mwork_eval.results.file_value import parse_json
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.stored_cell import REVISION, StoredCell
from mwork_eval.results.task_score import TaskScore

_FORMAT = "mwork-cell"
_VERSION = 1
_SUFFIX = ".jsonl"
_HINT = "delete it; the cell is computed again"
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
                Path(lock.lock_file).unlink(missing_ok=True)
        finally:
            lock.release()

    def discard_left_behind(self) -> None:
        """Remove half-written cells and locks that killed processes left; a cell in work is left alone."""
        half_written = {path.name[1:].partition(_SUFFIX)[0] for path in self._folder.glob(f".*{_SUFFIX}.*")}
        locked = {path.stem for path in self._folder.glob("*.lock") if self.path(path.stem).is_file()}
        for identity in half_written | locked:
            with self.claim(identity):
                pass

    def read(self, identity: str) -> StoredCell | None:
        """Return what the head of a finished cell says, or None if it is not there.

        Raises:
            InputError: If the file is damaged.
        """
        path = self.path(identity)
        if not path.is_file():
            return None
        cell = _head(path)
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
            cell = _head(path)
            yield cell.about.label, cell.revision

    def samples(self, identity: str) -> Iterator[dict[str, Any]]:
        """Yield lm-eval's samples of a stored cell.

        Raises:
            InputError: If the file is damaged.
        """
        with _reading(self.path(identity)) as lines:
            lines.read(type=dict)
            yield from lines.iter(type=dict)

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
        """Write a cell: a header line, then lm-eval's samples, one a line."""
        header = {
            "format": _FORMAT,
            "version": _VERSION,
            "identity": identity,
            "revision": REVISION,
            "about": about,
            "metric": score.metric,
            "higher_is_better": score.higher_is_better,
            "documents": score.documents,
            "metrics": score.metrics,
            "documents_digest": score.documents_digest,
            "clusters": score.clusters,
        }

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8") as file:
                for line in (header, *samples):
                    file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

        write_atomically(self.path(identity), write)


def _head(path: Path) -> StoredCell:
    with path.open("rb") as file:
        return parse_json(StoredCell, file.readline(), path, _HINT)


@contextmanager
def _reading(path: Path) -> Iterator[jsonlines.Reader]:
    try:
        with jsonlines.open(path) as lines:
            yield lines
    except (jsonlines.Error, ValueError, KeyError, EOFError, TypeError) as error:
        raise InputError(f"{path} is damaged", found=error, hint=_HINT) from error


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what the matrix consists of, and which cell stands for which row, language, seed and task."""
    write_text_atomically(folder / MANIFEST, manifest.to_json())


def load_manifest(folder: Path) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: If the folder has none, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} holds no ablation results", found=f"no {MANIFEST}", hint="make them with `ablate`")
    return Manifest.read(path)
