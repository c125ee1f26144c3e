"""Put files into a repository on the hub, in one commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.hub.client import make_client
from mwork_eval.hub.faults import is_offline, told_in_one_line
from mwork_eval.hub.index import CARD, INDEX, RepositoryIndex, read_index
from mwork_eval.hub.reference import HubReference, is_repository
from mwork_eval.hub.repository import HubRepository

_LARGE = 2**23
"""Bytes from which a file is sent on its own, so that progress is seen."""
_OF_THE_HUB = (".gitattributes",)
"""What the hub puts into a new repository."""


@dataclass(frozen=True)
class PushTarget:
    """What is in a repository before something is put there.

    Attributes:
        repository: `USER/NAME`.
        revision: The branch; None for the default one.
        commit: The commit it is at, or a new branch begins at; None if the repository is new.
        paths: The files there are.
        index: The index, if it is a repository of ours.
        foreign: Whether it holds files, and no index of ours.
    """

    repository: str
    revision: str | None = None
    commit: str | None = None
    paths: tuple[str, ...] = ()
    index: RepositoryIndex | None = None
    foreign: bool = False


@dataclass(frozen=True)
class PushedCommit:
    """What a push did.

    Attributes:
        url: Where the commit is seen.
        commit: The commit.
        added: Paths of the files that are there now.
        deleted: Paths of the files of an earlier push that are there no longer.
    """

    url: str
    commit: str
    added: tuple[str, ...]
    deleted: tuple[str, ...]


def check_target(repository: str, *, revision: str | None = None) -> PushTarget:
    """Look at a repository before long work that ends in a push: who pushes is known, and what is there.

    Args:
        repository: `USER/NAME`; there may be none yet.
        revision: A branch, which may be new; the default one if not given.

    Raises:
        InputError: If the name is not well formed, or no valid token is there.
        NotReachedError: If there is no way to the hub.
    """
    from huggingface_hub import errors

    reference = _checked_reference(repository, revision)
    with told_in_one_line(reference):
        if is_offline():
            raise InputError("nothing is pushed without a way to the hub", found="HF_HUB_OFFLINE=1")
        client = make_client()
        client.whoami()
        try:
            try:
                found = client.model_info(repository, revision=revision)
            except errors.RevisionNotFoundError:
                found = client.model_info(repository)  # a new branch begins as the default one is
        except errors.RepositoryNotFoundError as error:
            if isinstance(error, errors.GatedRepoError):
                raise
            return PushTarget(repository, revision)
    paths = tuple(one.rfilename for one in found.siblings or ())
    index = _index_of(reference.pinned(str(found.sha))) if INDEX in paths else None
    foreign = index is None and not set(paths) <= set(_OF_THE_HUB)
    return PushTarget(repository, revision, str(found.sha), paths, index, foreign)


def push_files(
    repository: str,
    files: Mapping[str, bytes | Path],
    *,
    private: bool = False,
    revision: str | None = None,
    force: bool = False,
    message: str,
    bar: Callable[[str, int], None] = lambda label, amount: None,
) -> PushedCommit:
    """Put files into a repository, which is made if there is none, in one commit.

    Files that an earlier push of ours put there and this one lacks are deleted; what others put there stays.

    Args:
        repository: `USER/NAME`.
        files: By path within the repository, the content or the local file; with the card and the index.
        private: Whether a new repository is private; one that is there stays as it is.
        revision: The branch, made from the default one if there is none; the default one if not given.
        force: Write into a repository that is not ours.
        message: The title of the commit.
        bar: Takes the name of what was just sent and its bytes.

    Raises:
        InputError: If the repository holds files and no index of ours, a file is not what the index says, or the hub
            refuses.
        NotReachedError: If there is no way to the hub.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    target = check_target(repository, revision=revision)
    if target.foreign and not force:
        raise InputError(
            f"{repository} is a repository of another kind",
            found=f"{CARD if CARD in target.paths else target.paths[0]}, and no {INDEX} that can be read",
            expected="a new repository, or one that was pushed before",
            hint="`force=True` writes into it all the same",
        )
    earlier = target.index.files if target.index else {}
    deleted = tuple(path for path in earlier if path not in files and path in target.paths)
    additions = [CommitOperationAdd(path, _source(content)) for path, content in files.items()]
    _check_unchanged({one.path_in_repo: one.upload_info.sha256.hex() for one in additions}, files.get(INDEX))
    with told_in_one_line(_checked_reference(repository, revision)):
        client = make_client()
        if target.commit is None:
            client.create_repo(repository, private=private, exist_ok=True)
        if revision is not None:
            client.create_branch(repository, branch=revision, exist_ok=True)
        for one in additions:
            if one.upload_info.size >= _LARGE:
                client.preupload_lfs_files(repository, [one], revision=revision, free_memory=False)
                bar(one.path_in_repo, one.upload_info.size)
        done: Any = client.create_commit(
            repository,
            [*additions, *(CommitOperationDelete(path) for path in deleted)],
            commit_message=message,
            revision=revision,
            parent_commit=target.commit,
        )
    for one in additions:
        if one.upload_info.size < _LARGE:
            bar(one.path_in_repo, one.upload_info.size)
    return PushedCommit(str(done.commit_url), str(done.oid), tuple(files), deleted)


def _index_of(reference: HubReference) -> RepositoryIndex | None:
    """Return the index of a repository, or None if it is damaged or none of ours."""
    try:
        return HubRepository.at(reference).index
    except NotReachedError:
        raise
    except InputError:
        return None


def _check_unchanged(digests: Mapping[str, str], index: bytes | Path | None) -> None:
    """Raise if a file is another one than when the index was made, as by a command that still writes it."""
    if not isinstance(index, bytes):
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / INDEX
        path.write_bytes(index)
        indexed = read_index(path).files
    if changed := [path for path, digest in indexed.items() if digests.get(path, digest) != digest]:
        raise InputError(
            "a file was changed while it was being published",
            found=changed[0],
            hint="wait for the command that writes it, and push anew",
        )


def bytes_of(files: Mapping[str, bytes | Path]) -> int:
    """Return how many bytes a push sends at most: the units of its bar."""
    return sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in files.values())


def _source(content: bytes | Path) -> Any:
    return content if isinstance(content, bytes) else str(content)


def _checked_reference(repository: str, revision: str | None) -> HubReference:
    if not is_repository(repository):
        raise InputError("no name of a repository on the hub", found=repr(repository), expected="USER/NAME")
    text = f"hub:{repository}" + ("" if revision is None else "@" + revision.replace("/", "%2F"))
    reference = HubReference.parse(text)
    if reference.commit:
        raise InputError("files are pushed to a branch", found=f"the commit {revision}", expected="the name of one")
    return reference
