"""A repository at one commit: which files it has, and each of them on this machine, checked against the index."""

import logging
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mwork_eval.digests import digest_of_file
from mwork_eval.errors import InputError
from mwork_eval.hub.cache import cached_paths, remember_commit, remembered_commit
from mwork_eval.hub.client import make_client
from mwork_eval.hub.faults import fault, is_offline, is_unreachable, told_in_one_line
from mwork_eval.hub.index import INDEX, RepositoryIndex, is_plain_path, read_index
from mwork_eval.hub.index import LARGEST as LARGEST_INDEX
from mwork_eval.hub.reference import HubReference

SUFFIX = ".safetensors"
_SECONDS = 10.0
_LARGEST = 2**35
"""Bytes of the largest file of sets, scores or deltas that is fetched: room for all weights of a model of 8 B."""
_SPARE = 2**26
"""Bytes that a disk is left with."""
_WEIGHTS = ("model", "adapter_model", "consolidated")
_checked: dict[tuple[str, int, int], str] = {}
"""Digests of the files that were checked, by name, size and time of writing: once in a process is enough."""
log = logging.getLogger(__name__)


class ModelNames(NamedTuple):
    """What the hub answers of a revision: its commit, and the paths of its files."""

    commit: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class HubRepository:
    """A repository at one commit.

    Attributes:
        reference: What the user meant, at this commit.
        commit: The commit.
        paths: The files there are: those of the index, or without one all that the hub names.
        index: The index; None in a repository that was made by hand.
        reached: Whether the hub can be asked for files; else the cache alone is looked into.
    """

    reference: HubReference
    commit: str
    paths: tuple[str, ...]
    index: RepositoryIndex | None = None
    reached: bool = True

    @classmethod
    def at(cls, reference: HubReference) -> "HubRepository":
        """Ask the hub for a repository; without a way to it, the cache.

        Raises:
            InputError: If there is none, one may not read it, or its index is damaged.
            NotReachedError: If there is no way to the hub, and it is not in the cache.
        """
        answer = None if reference.commit else _ask(reference)
        commit = reference.commit or _commit_of(answer, reference)
        pinned = reference.pinned(commit)
        reached = answer is None or isinstance(answer, ModelNames)
        if (index := _read_index(pinned, reached=reached)) is not None:
            return cls(pinned, commit, tuple(index.files), index, reached)
        if answer is None:
            answer = _ask(pinned)
        if isinstance(answer, ModelNames):
            return cls(pinned, commit, tuple(filter(is_plain_path, answer.paths)))
        if not (cached := cached_paths(reference, commit)):
            raise fault(answer, reference) from answer
        return cls(pinned, commit, tuple(filter(is_plain_path, cached)), reached=False)

    def sets_in(self, folder: str) -> dict[str, str]:
        """Return the paths of the `.safetensors` files that lie directly in a folder, by name."""
        paths = (PurePosixPath(path) for path in self.paths if path.endswith(SUFFIX))
        here = {path.stem: str(path) for path in paths if str(path.parent) == (folder or ".")}
        # In a repository made by hand, weights of a model may lie beside the sets: gigabytes that are none.
        return {name: here[name] for name in sorted(here) if self.index or not name.startswith(_WEIGHTS)}

    def fetch(self, path: str) -> Path:
        """Return a file of the repository on this machine, fetched if need be, and checked against the index.

        A file that the cache has damaged is fetched anew, once.

        Raises:
            InputError: If it cannot be had, or is not what the index says.
            NotReachedError: If there is no way to the hub, and it is not in the cache.
        """
        local = _download(self.reference, path, reached=self.reached)
        expected = self.index.files.get(path) if self.index else None
        if expected is None or (found := _digest(local)) == expected:
            return local
        if is_offline() or not self.reached:
            raise InputError(
                f"{path} of {self.reference.repository} is damaged in the cache",
                found=f"digest {found[:12]}",
                expected=expected[:12],
                hint="call once with a way to the hub, without HF_HUB_OFFLINE=1, to fetch it anew",
            )
        log.warning("%s of %s is damaged in the cache; fetched anew", path, self.reference.repository)
        local = _download(self.reference, path, again=local)
        if (found := _digest(local)) != expected:
            raise InputError(
                f"{path} of {self.reference.repository} is not what its index says",
                found=f"digest {found[:12]}",
                expected=expected[:12],
                hint="its owner can push it anew",
            )
        return local


def _ask(reference: HubReference) -> "ModelNames | Exception":
    """Ask the hub what a revision is; returns the error if there is no way to it."""
    from huggingface_hub import errors

    if is_offline():
        return errors.OfflineModeIsEnabled("HF_HUB_OFFLINE=1")
    with told_in_one_line(reference):
        try:
            found = make_client().model_info(reference.repository, revision=reference.revision, timeout=_SECONDS)
        except Exception as error:
            if is_unreachable(error):
                return error
            raise
    return ModelNames(str(found.sha), tuple(one.rfilename for one in found.siblings or ()))


def _commit_of(answer: "ModelNames | Exception | None", reference: HubReference) -> str:
    """Return the commit of a branch or tag: what the hub answered, else what the cache says it was at."""
    if isinstance(answer, ModelNames):
        remember_commit(reference, answer.commit)
        return answer.commit
    commit = remembered_commit(reference)
    if commit is None:
        raise fault(answer or ConnectionError(), reference) from answer
    if not is_offline():
        log.warning("the hub is not reached: %s is read from the cache, as it was at %s", reference, commit[:12])
    return commit


def _read_index(reference: HubReference, *, reached: bool) -> RepositoryIndex | None:
    """Return the index of a commit, or None if it has none; one that the cache has damaged is fetched anew, once."""
    from huggingface_hub import _CACHED_NO_EXIST, errors, try_to_load_from_cache

    commit = str(reference.revision)
    if try_to_load_from_cache(reference.repository, INDEX, revision=commit) is _CACHED_NO_EXIST:
        return None
    shown = f"{reference.pinned(commit, '')}/{INDEX}"
    try:
        local = _download(reference, INDEX, reached=reached)
    except InputError as error:
        if isinstance(error.__cause__, errors.RemoteEntryNotFoundError):
            return None
        raise
    try:
        return read_index(local, shown)
    except InputError:
        if is_offline() or not reached:
            raise
        return read_index(_download(reference, INDEX, again=local), shown)


def _download(reference: HubReference, path: str, *, reached: bool = True, again: Path | None = None) -> Path:
    """Return a file in the cache; one that is there already and damaged is replaced."""
    if again is not None and not again.is_symlink():
        again.unlink(missing_ok=True)  # where there are no links the client leaves a file that is there as it is
    with told_in_one_line(reference, path):
        if reached and not is_offline():
            _check_size(reference, path)
        found = make_client().hf_hub_download(
            reference.repository,
            path,
            revision=reference.revision,
            force_download=again is not None,
            local_files_only=not reached,
        )
    return Path(found)


def _check_size(reference: HubReference, path: str) -> None:
    """Raise if a file that is not in the cache is larger than any of ours, or than the disk has room for."""
    from huggingface_hub import constants, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(reference.repository, path, revision=reference.revision), str):
        return
    size = _sizes(reference.repository, str(reference.revision), constants.ENDPOINT).get(path, 0)
    largest = LARGEST_INDEX if path == INDEX else _LARGEST
    if size > largest:
        raise InputError(
            f"{path} of {reference.repository} is too large", found=f"{size:,} bytes", expected=f"up to {largest:,}"
        )
    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(one for one in (cache, *cache.absolute().parents) if one.exists())).free
    if size > free - _SPARE:
        raise InputError(
            f"the disk has no room for {path} of {reference.repository}",
            found=f"{free:,} bytes free at {cache}",
            expected=f"{size + _SPARE:,}",
        )


@cache
def _sizes(repository: str, commit: str, host: str) -> dict[str, int]:
    """Return the bytes of the files of a commit: one question for all of them, and none for the next."""
    found = make_client().model_info(repository, revision=commit, files_metadata=True, timeout=_SECONDS)
    return {one.rfilename: one.size or 0 for one in found.siblings or ()}


def _digest(path: Path) -> str:
    state = path.stat()
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns)
    if key not in _checked:
        _checked[key] = digest_of_file(path)
    return _checked[key]
