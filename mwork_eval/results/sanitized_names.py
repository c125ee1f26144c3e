"""Paths as lm-eval writes them where there may be no slash, as in the names of folders of results."""

import re

_NOT_IN_NAMES = re.compile(r"[\"<>:/|\\?*\[\]]+")
_ROOT = re.compile(r"[A-Za-z]|~[\w.-]*|\.{0,2}")
"""What is left of the beginning of a path."""
_SANITIZED = re.compile(r"(?:~|\.{1,2}|[A-Za-z](?=__.+__))?__(?P<rest>.+)", re.DOTALL)
"""A path as lm-eval writes it in the name of a folder; `org__model` is a name of the hub."""
_MASKED = "__masked-"
"""What follows in such a name where neurons were changed."""


def sanitized(path: str) -> str:
    """Return a path as lm-eval writes it where it may have no slash."""
    return _NOT_IN_NAMES.sub("__", path)


def is_sanitized(text: str) -> bool:
    """Tell whether a text is a path as lm-eval writes it where it may have no slash."""
    first, *others = text.split("__")
    return len(others) > 1 and all(others) and bool(_ROOT.fullmatch(first)) and not set(text) & set('/\\\n"')


def shown_part(part: str) -> str:
    """Return the name of a folder; of one that lm-eval named after a path, what the path ends with."""
    name, masked, how = part.partition(_MASKED)
    if (path := _SANITIZED.fullmatch(name)) is None:
        return part
    return (path["rest"].rpartition("__")[2] or part) + masked + how
