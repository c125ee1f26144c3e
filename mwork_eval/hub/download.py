"""Folders of neuron sets, scores and deltas of a repository on the hub, fetched as far as they are needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mwork_eval.errors import InputError
from mwork_eval.hub.reference import HubReference, is_hub
from mwork_eval.hub.repository import SUFFIX, HubRepository

NEURONS, SCORES, DELTAS, RESULTS = "neurons", "scores", "deltas", "results"
"""The folders of a repository of ours."""


@dataclass(frozen=True)
class FetchedFolder:
    """A folder of a repository, or a file, on this machine.

    Attributes:
        path: Where it is.
        commit: The commit it is of.
        reference: What stands for it for ever: `hub:USER/NAME@COMMIT/…`.
        files: The files of the folder that were fetched and checked; others may lie beside them.
    """

    path: Path
    commit: str
    reference: str
    files: tuple[Path, ...] = ()


def folder_in(repository: HubRepository, rest: str, kind: str = NEURONS) -> str | None:
    """Return the path of a folder that holds `.safetensors` files: below `neurons`, else below the root.

    Args:
        repository: The repository.
        rest: The folder as the user wrote it; empty for the one of the whole repository.
        kind: The folder of the repository that it is looked for in first.
    """
    for folder in (f"{kind}/{rest}".rstrip("/"), rest):
        if repository.sets_in(folder):
            return folder
    return None


def fetch_folder(reference: str | HubReference, *, kind: str = NEURONS, beside: str | None = None) -> FetchedFolder:
    """Fetch a folder of `.safetensors` files.

    Args:
        reference: `hub:USER/NAME[@REVISION]` or `hub:USER/NAME[@REVISION]/FOLDER`.
        kind: The folder of the repository that it is looked for in first: `neurons`, `scores` or `deltas`.
        beside: A folder in it whose files are wanted too, such as `draws`.

    Raises:
        InputError: If there is none, or a file is not what the index says; names the folders there are.
        NotReachedError: If there is no way to the hub, and it is not in the cache.
    """
    asked = HubReference.parse(reference) if isinstance(reference, str) else reference
    repository = HubRepository.at(asked)
    folder = folder_in(repository, asked.rest, kind)
    if folder is None:
        raise no_folder(repository, asked, kind)
    paths = list(repository.sets_in(folder).values())
    if beside is not None:
        start = f"{folder}/{beside}/" if folder else f"{beside}/"
        paths += [path for path in repository.paths if path.startswith(start) and path.endswith(SUFFIX)]
    files = {path: repository.fetch(path) for path in paths}
    path, local = next(iter(files.items()))
    above = local.parents[len(PurePosixPath(path).relative_to(folder or ".").parts) - 1]
    return FetchedFolder(above, repository.commit, str(repository.reference), tuple(files.values()))


def fetch_file(reference: str, *, kind: str) -> FetchedFolder:
    """Fetch one `.safetensors` file, such as a delta.

    Args:
        reference: `hub:USER/NAME[@REVISION]/NAME`.
        kind: The folder of the repository that it is looked for in first.

    Raises:
        InputError: If there is none, or it is not what the index says.
        NotReachedError: If there is no way to the hub, and it is not in the cache.
    """
    asked = HubReference.parse(reference)
    repository = HubRepository.at(asked)
    rest = asked.rest.removesuffix(SUFFIX)
    for path in (f"{kind}/{rest}{SUFFIX}", f"{rest}{SUFFIX}"):
        if rest and path in repository.paths:
            local = repository.fetch(path)
            return FetchedFolder(local, repository.commit, str(repository.reference), (local,))
    there = " ".join(repository.sets_in(kind)) or "none"
    raise InputError(
        f"no {rest or 'name'!r} among the {kind} of {asked.repository}", found=there, expected="one of these"
    )


def no_folder(repository: HubRepository, asked: HubReference, kind: str = NEURONS) -> InputError:
    """Return the error for a folder that a repository does not have; names those it has."""
    parents = {PurePosixPath(path).parent for path in repository.paths if path.endswith(SUFFIX)}
    below = (parent.relative_to(kind).as_posix() for parent in parents if parent.is_relative_to(kind))
    folders = sorted(name for name in below if name != "." and "draws" not in name.split("/"))
    where = f"{asked.rest} of {asked.repository}" if asked.rest else asked.repository
    return InputError(
        f"no {kind} in {where} on the hub",
        found=f"the folders {' '.join(folders)}" if folders else f"no {SUFFIX} file of {kind}",
        expected=f"one of these, such as {asked.pinned(repository.commit, folders[0])}" if folders else None,
    )


def pinned_to(text: str, commits: Iterable[object]) -> str:
    """Return a reference at the commit that other references of the same repository are at.

    Args:
        text: Any reference; one that is not of the hub, or pinned already, stays as it is.
        commits: What sets say of where on the hub they are from, as `about["hub"]`; what is no text is passed over.
    """
    if not is_hub(text):
        return text
    asked = HubReference.parse(text)
    others = (HubReference.parse(one) for one in commits if isinstance(one, str) and is_hub(one))
    found = next((one.commit for one in others if one.commit and one.repository == asked.repository), None)
    return text if found is None else str(asked.pinned(found))
