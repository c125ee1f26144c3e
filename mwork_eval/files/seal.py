"""Digests in JSON files, so that a changed byte is a damaged file and never another number."""

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue, Value, dump, parse_as, read_bytes
from mwork_eval.files.writing import write_text_atomically

_SEAL = re.compile(rb'\{"digest": "([^"]*)",')
_BROKEN = re.compile(rb'\{\s*"[^"]*"\s*:\s*"[0-9a-fA-F]{64}"')
"""A seal whose key was changed: nothing else of ours begins with a digest."""
_log = logging.getLogger(__name__)
_named: set[Path] = set()


def sealed(text: str) -> str:
    """Return the text of a JSON object with `digest` as its first entry: the SHA-256 of all bytes behind that."""
    behind = text[1:]
    return f'{{"digest": "{hashlib.sha256(behind.encode()).hexdigest()}",{behind}'


def unsealed(text: bytes, what: Path, hint: str | None = None) -> bytes:
    """Check the digest of a text, and return the text without it.

    One of an earlier version has none; that is logged, once for a folder.

    Raises:
        InputError: If it has one that is not that of the text.
    """
    match = _SEAL.match(text)
    if match is None:
        if _BROKEN.match(text):
            raise InputError(f"{what} is damaged, or was changed", found="no digest at its beginning", hint=hint)
        name_unprotected(what)
        return text
    behind = text[match.end() :]
    found = hashlib.sha256(behind).hexdigest()
    if found.encode() != match[1]:
        raise InputError(
            f"{what} is damaged, or was changed",
            found=f"digest {found[:12]}",
            expected=match[1][:12].decode(errors="replace"),
            hint=hint,
        )
    return b"{" + behind


def resealed(text: bytes) -> bytes:
    """Return the text of a JSON object that was changed, with the digest of what it is now if it had one."""
    match = _SEAL.match(text)
    return text if match is None else sealed("{" + text[match.end() :].decode()).encode()


def name_unprotected(path: Path) -> None:
    """Log, once for a folder, that a file without a digest was read."""
    if path.parent not in _named:
        _named.add(path.parent)
        _log.warning("%s: no digest, as an earlier version wrote it; read unprotected, like others beside it", path)


def write_sealed(path: Path, value: Any, *, indent: int | None = None, sort_keys: bool = False) -> None:
    """Write a JSON object with its digest, whole or not at all."""
    write_text_atomically(path, sealed(dump(value, indent=indent, sort_keys=sort_keys) + "\n"))


def read_sealed(kind: type[Value], path: Path, form: tuple[str, int], hint: str) -> Value:
    """Read a file of ours that says what it is, and check its digest.

    Args:
        kind: The type of its value.
        path: The file.
        form: Its format and version.
        hint: What to do about a damaged one.

    Raises:
        InputError: If it is of another format or version, or damaged.
    """
    text = read_bytes(path)
    head = parse_as(_FileHead, text, path, hint)
    if (head.format, head.version) != form:
        raise InputError(
            f"{path} is of another kind",
            found=f"{head.format} version {head.version}",
            expected=f"{form[0]} version {form[1]}",
        )
    return parse_as(kind, unsealed(text, path, hint), path, hint)


class _FileHead(FileValue):
    """What tells the kind of a file."""

    format: Any = None
    version: Any = None
