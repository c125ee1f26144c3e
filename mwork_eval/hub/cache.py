"""The cache of the hub's client: which commit a branch was at, and what of a commit is there.

Its layout is documented by the client: a folder for each repository, in it `refs/REVISION`, which holds a commit, and
`snapshots/COMMIT`, which holds files.
"""

import logging
from pathlib import Path

from mwork_eval.files.writing import write_text_atomically
from mwork_eval.hub.reference import HubReference, is_commit

DEFAULT = "main"
"""Where the client keeps the commit of the default branch."""
log = logging.getLogger(__name__)


def remembered_commit(reference: HubReference) -> str | None:
    """Return the commit that a revision was at when the hub was last asked; None if it never was."""
    try:
        commit = _ref(reference).read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    return commit if is_commit(commit) else None


def remember_commit(reference: HubReference, commit: str) -> None:
    """Note at which commit a revision is; a cache that cannot be written is left as it is."""
    if reference.commit is None and remembered_commit(reference) != commit:
        try:
            write_text_atomically(_ref(reference), commit)
        except OSError as error:
            log.info("not noted in the cache of the hub: %s", error)


def cached_paths(reference: HubReference, commit: str) -> tuple[str, ...]:
    """Return the paths within a repository of the files of a commit that are in the cache."""
    folder = _folder(reference) / "snapshots" / commit
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))


def commit_of(file: Path, reference: HubReference) -> str:
    """Return the commit that a file in the cache is of."""
    return file.relative_to(_folder(reference) / "snapshots").parts[0]


def _ref(reference: HubReference) -> Path:
    return _folder(reference) / "refs" / (reference.revision or DEFAULT)


def _folder(reference: HubReference) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{reference.repository.replace('/', '--')}"
