"""`mwork.json`: what a repository of ours holds, with the digest of each file."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pydantic import field_validator

from mwork_eval.digests import digest_of_file
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue, dump, parse_as, read_bytes
from mwork_eval.files.seal import sealed, unsealed
from mwork_eval.versions import software_versions

INDEX = "mwork.json"
CARD = "README.md"
FORMAT = "mwork-repository"
VERSION = 1
LARGEST = 2**24
"""Bytes of the largest index that is read."""
_DRIVE = re.compile(r"[A-Za-z]:")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SEALED = b'{"digest": "'
_HINT = "its owner can push it anew"


class RepositoryIndex(FileValue):
    """What a repository holds.

    Attributes:
        format: `mwork-repository`.
        version: Of the format.
        files: By path within the repository, the SHA-256 of the file; all of ours but the card and the index.
        base_model: The model that the files belong to, as those who made them called it.
        fingerprint: Fingerprint of its weights.
        versions: Versions of the software that wrote it.
    """

    format: str
    version: int
    files: dict[str, str]
    base_model: str | None = None
    fingerprint: str | None = None
    versions: dict[str, str]

    @field_validator("files")
    @classmethod
    def _are_files(cls, files: dict[str, str]) -> dict[str, str]:
        for path, digest in files.items():
            if not is_plain_path(path) or path in (INDEX, CARD):
                raise ValueError(f"a path {path!r}")
            if not _DIGEST.fullmatch(digest):
                raise ValueError(f"a digest {digest!r} of {path}")
            if any(str(parent) in files for parent in PurePosixPath(path).parents):
                raise ValueError(f"a path {path!r} below a file")
        if (alike := alike_path(files)) is not None:
            raise ValueError(f"two paths {alike!r} that are one on some systems")
        return files


def is_plain_path(path: str) -> bool:
    """Tell whether a path of a repository stays in a folder that it is put into, on every system."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or _DRIVE.match(path):
        return False
    # Windows leaves out dots and blanks at the end of a name, so that ".. " might be the folder above.
    return not any(part.strip() == "" or part[-1] in ". " for part in parts) and str(PurePosixPath(path)) == path


def alike_path(paths: Iterable[str]) -> str | None:
    """Return a path that another one is the same as where case or the way to write accents does not count; or None."""
    spelled: dict[str, str] = {}
    looked_at: set[str] = set()
    for path in paths:
        one = path
        while one and one not in looked_at:
            folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", one).casefold())
            if spelled.setdefault(folded, one) != one:
                return path
            looked_at.add(one)
            one = one.rpartition("/")[0]
    return None


def write_index(files: Mapping[str, bytes | Path], *, base_model: str | None, fingerprint: str | None) -> bytes:
    """Return the content of `mwork.json` for the files of a push.

    Args:
        files: By path within the repository, the content or the local file; the card and the index are left out.
        base_model: The model that they belong to.
        fingerprint: Fingerprint of its weights.

    Raises:
        InputError: If a path is not one that can be fetched again.
    """
    digests = {path: digest_of_content(content) for path, content in files.items() if path not in (INDEX, CARD)}
    if wrong := [path for path in digests if not is_plain_path(path)]:
        raise InputError("a file cannot have this name on the hub", found=wrong[0])
    if (alike := alike_path(digests)) is not None:
        raise InputError("two names are one file on some systems", found=alike, hint="rename one of them")
    index = {
        "format": FORMAT,
        "version": VERSION,
        "files": dict(sorted(digests.items())),
        "base_model": base_model,
        "fingerprint": fingerprint,
        "versions": software_versions(),
    }
    return sealed(dump(index, indent=1) + "\n").encode()


def digest_of_content(content: bytes | Path) -> str:
    """Return the SHA-256 of a content or a local file."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else digest_of_file(content)


def read_index(path: Path, what: object = None) -> RepositoryIndex:
    """Read an index and check its digest.

    Args:
        path: The file.
        what: Its name in messages; the path if not given.

    Raises:
        InputError: If it is damaged, too large, of another version, or names files outside a repository.
    """
    shown = Path(str(what or path))
    text = read_bytes(path, LARGEST)
    if not text.startswith(_SEALED):
        raise InputError(f"{shown} is damaged", found="no digest at its beginning", hint=_HINT)
    index = parse_as(RepositoryIndex, unsealed(text, shown, _HINT), shown, _HINT)
    if (index.format, index.version) != (FORMAT, VERSION):
        raise InputError(
            f"{shown} is of another kind",
            found=f"{index.format} version {index.version}",
            expected=f"{FORMAT} version {VERSION}",
            hint="a newer mwork-eval may read it",
        )
    return index
