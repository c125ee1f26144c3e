"""What a user writes for something in a repository on a hub: `hub:USER/NAME[@REVISION][/REST]`."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from mwork_eval.errors import InputError

PREFIX = "hub:"
_PART = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?", re.ASCII)
_SEPARATOR = os.sep
_LONGEST = 96
"""Characters of a repository's name with its user, as the hub has it."""
_REVISION = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_EXPECTED = f"{PREFIX}USER/NAME[@REVISION][/REST], such as {PREFIX}user/gemma3-270m-neurons/zh"


@dataclass(frozen=True)
class HubReference:
    """A repository, one of its revisions, and what is meant within it.

    Attributes:
        repository: `USER/NAME`.
        revision: A branch, tag or commit; None for the default branch.
        rest: What is meant within the repository, as the user wrote it (`zh`, `FOLDER/zh-es`); empty for the whole.
    """

    repository: str
    revision: str | None = None
    rest: str = ""

    @classmethod
    def parse(cls, text: str) -> "HubReference":
        """Read a reference.

        A revision that has a slash in its name is written with `%2F` in place of it.

        Raises:
            InputError: If it is none.
        """
        text = text.replace(_SEPARATOR, "/")  # of what was a path on the way here
        user, slash, behind = text.removeprefix(PREFIX).partition("/")
        named, _, rest = behind.partition("/")
        name, at, revision = named.partition("@")
        revision = revision.replace("%2F", "/")
        parts = rest.split("/") if rest else []
        if (
            not text.startswith(PREFIX)
            or not slash
            or not is_repository(f"{user}/{name}")
            or (at and not (_REVISION.fullmatch(revision) and ".." not in revision))
            or behind.endswith("/")
            or any(part in ("", ".", "..") or "\\" in part for part in parts)
        ):
            raise InputError("no reference to a repository on the hub", found=repr(text), expected=_EXPECTED)
        return cls(f"{user}/{name}", revision if at else None, rest)

    @property
    def commit(self) -> str | None:
        """The commit, if the revision is one: 40 hexadecimal digits."""
        return self.revision if self.revision and _COMMIT.fullmatch(self.revision) else None

    def pinned(self, commit: str, rest: str | None = None) -> "HubReference":
        """Return the reference to a commit, which means the same for ever.

        Args:
            commit: The commit.
            rest: What is meant within it; what this one means if not given.
        """
        return replace(self, revision=commit, rest=self.rest if rest is None else rest)

    def __str__(self) -> str:
        at = "" if self.revision is None else "@" + self.revision.replace("/", "%2F")
        return f"{PREFIX}{self.repository}{at}{'/' if self.rest else ''}{self.rest}"


def is_hub(text: str) -> bool:
    """Tell whether what a user wrote means something on the hub; `C:/runs` and the like do not."""
    return text.startswith(PREFIX)


def repositories_of(references: Iterable[object]) -> tuple[str, ...]:
    """Return the repositories, each at its commit, that pinned references are of; what is none is passed over."""
    found = []
    for one in references:
        with suppress(InputError):
            if isinstance(one, str) and (reference := HubReference.parse(one)).commit:
                found.append(str(replace(reference, rest="")))
    return tuple(dict.fromkeys(found))


def is_repository(name: str) -> bool:
    """Tell whether a name is well formed: `USER/NAME` of letters, digits, `-`, `_` and `.`."""
    parts = name.split("/")
    doubled = "--" in name or ".." in name or name.endswith(".git")
    return len(parts) == 2 and len(name) <= _LONGEST and not doubled and all(map(_PART.fullmatch, parts))
