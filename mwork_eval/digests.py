"""Stable JSON, content digests, and names made of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

_LONGEST_NAME = 200
"""Bytes of a file's name without what stands before and behind it."""


def canonical_json(value: Any) -> str:
    """Return ``value`` as JSON with sorted keys and no blanks: equal values give equal text.

    What JSON does not know (dates in a data set, for example) is written as `str` shows it.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``, as 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_name(name: str) -> str:
    """Return a name that a file or folder can have: itself, or if it is too long its beginning and a digest of it.

    A file's name has 255 bytes; 200 leave room for what is put before and behind it.
    """
    encoded = name.encode("utf-8", "surrogatepass")
    if len(encoded) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f"{encoded[: _LONGEST_NAME - len(digest) - 1].decode('utf-8', 'ignore')}-{digest}"
