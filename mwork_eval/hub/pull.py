"""All files of a repository in a local folder: verified, and what is there already is not fetched again."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mwork_eval.digests import digest_of_file
from mwork_eval.errors import InputError
from mwork_eval.files.locks import remove_lock_file
from mwork_eval.files.writing import write_atomically
from mwork_eval.hub.download import DELTAS, NEURONS, RESULTS, SCORES
from mwork_eval.hub.index import INDEX, read_index
from mwork_eval.hub.reference import HubReference
from mwork_eval.hub.repository import HubRepository

FOLDERS = (NEURONS, SCORES, DELTAS, RESULTS)
"""What is pulled; the card and what is made from these stays on the hub."""
_LOCK = f".{INDEX}.lock"
_UNDER_WAY = f".{INDEX}.pulling"
"""The index of a pull that has begun and not ended: it knows files that the index of the last whole one does not."""


@dataclass(frozen=True)
class PullPlan:
    """What a pull has to do.

    Attributes:
        repository: The repository, at a commit.
        out: The local folder.
        paths: All files of the folders that are pulled.
        missing: Those that are not in ``out`` as they are on the hub.
        stale: Files of an earlier pull that the repository no longer has.
        before: The digests that files of earlier pulls may have.
    """

    repository: HubRepository
    out: Path
    paths: tuple[str, ...]
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    before: Mapping[str, set[str]]


def plan_pull(reference: HubReference, out: Path) -> PullPlan:
    """Look at a repository and at the folder that it is pulled into; nothing is written.

    Args:
        reference: The repository, as a whole.
        out: A new or empty folder, or one that was pulled into before.

    Raises:
        InputError: If the repository is none of ours, or the folder holds something else.
        NotReachedError: If there is no way to the hub, and it is not in the cache.
    """
    if reference.rest:
        expected = f"{reference.pinned(reference.revision or 'main', '')}"
        raise InputError("a repository is pulled as a whole", found=reference, expected=expected)
    repository = HubRepository.at(reference)
    if repository.index is None:
        raise InputError(
            f"{reference.repository} cannot be pulled",
            found=f"no {INDEX}, by which files are verified",
            expected="a repository that was pushed by mwork-eval",
            hint=f"sets of it can be read all the same, such as {reference}/zh",
        )
    digests = {path: digest for path, digest in repository.index.files.items() if path.split("/")[0] in FOLDERS}
    if not digests:
        found = " ".join(sorted({path.split("/")[0] for path in repository.paths})) or "nothing"
        raise InputError(f"nothing to pull in {reference.repository}", found=found, expected=" ".join(FOLDERS))
    before = _earlier(out)
    _check_free(out, before)
    missing, stale = [], []
    for path, digest in digests.items():
        here = _digest_here(out, path)
        if here == digest:
            continue
        if here is not None and here not in before.get(path, ()):
            raise _changed(out / path)
        missing.append(path)
    for path in before.keys() - digests.keys():
        here = _digest_here(out, path)
        if here is not None:
            if here not in before[path]:
                raise _changed(out / path)
            stale.append(path)
    return PullPlan(repository, out, tuple(digests), tuple(missing), tuple(sorted(stale)), before)


def carry_out(plan: PullPlan, advance: Callable[[str, int], None] = lambda label, amount: None) -> None:
    """Fetch what is missing, remove what is stale, and keep the index beside it.

    Each file appears whole or not at all, and is checked before; an interrupted pull goes on when it is called again.

    Args:
        plan: What is to be done.
        advance: Takes the path of a file that is there now, and 1.

    Raises:
        InputError: If a file cannot be had, or is not what the index says, or another process pulls into the folder.
        NotReachedError: If there is no way to the hub, and a file is not in the cache.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.out / _LOCK, timeout=0)
    try:
        with lock:
            try:
                if _earlier(plan.out) != plan.before:
                    raise _busy(plan.out)
                _carry_out(plan, advance)
            finally:
                remove_lock_file(lock)
    except Timeout as error:
        raise _busy(plan.out) from error


def _carry_out(plan: PullPlan, advance: Callable[[str, int], None]) -> None:
    index = plan.repository.fetch(INDEX)
    _copy(index, plan.out / _UNDER_WAY)
    for path in plan.missing:
        _copy(plan.repository.fetch(path), plan.out / path)
        advance(path, 1)
    for path in plan.stale:
        (plan.out / path).unlink(missing_ok=True)
    _copy(index, plan.out / INDEX)
    (plan.out / _UNDER_WAY).unlink(missing_ok=True)


def _busy(out: Path) -> InputError:
    return InputError(f"another process pulls into {out} now", hint="wait for it, or take another folder")


def _copy(source: Path, target: Path) -> None:
    write_atomically(target, lambda temporary: _copied(source, temporary))


def _copied(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _earlier(out: Path) -> dict[str, set[str]]:
    """Return the digests that pulled files may have; none if nothing was pulled into the folder."""
    known: dict[str, set[str]] = {}
    for path in (out / INDEX, out / _UNDER_WAY):
        for name, digest in read_index(path).files.items() if path.is_file() else ():
            known.setdefault(name, set()).add(digest)
    return known


def _check_free(out: Path, before: Mapping[str, set[str]]) -> None:
    """Raise if a folder that was not pulled into holds anything."""
    if before or not out.is_dir():
        return
    others = sorted(
        path.name for path in out.iterdir() if path.name != INDEX and not path.name.startswith(f".{INDEX}.")
    )
    if others:
        raise InputError(
            f"{out} holds something else",
            found=" ".join(others[:3]),
            expected="a new or empty folder, or one that was pulled into before",
            hint="choose another `out`",
        )


def _digest_here(out: Path, path: str) -> str | None:
    local = out / path
    if any((out / parent).is_symlink() for parent in [path, *map(str, Path(path).parents)][:-1]):
        raise InputError(f"{local} is a link", expected="files and folders of a pull", hint="choose another `out`")
    if local.is_dir():
        raise InputError(f"{local} is a folder", expected="a file of a pull", hint="choose another `out`")
    return digest_of_file(local) if local.is_file() else None


def _changed(path: Path) -> InputError:
    return InputError(
        f"{path} was changed since it was pulled",
        expected="the file as it was pulled",
        hint="choose another `out`, or remove the file to pull it anew",
    )
