"""Paths as lm-eval writes them where there may be no slash, as in the names of folders of results."""

import re

_NOT_IN_NAMES = re.compile(r"[\"<>:/|\\?*\[\]]+")
_ROOT = re.compile(r"[A-Za-z]|~[\w.-]*|\.{0,2}")
"""What is left of the beginning of a path."""


def sanitized(path: str) -> str:
    """Return a path as lm-eval writes it where it may have no slash."""
    return _NOT_IN_NAMES.sub("__", path)


def is_sanitized(text: str) -> bool:
    """Tell whether a text is a path as lm-eval writes it where it may have no slash."""
    first, *others = text.split("__")
    return len(others) > 1 and all(others) and bool(_ROOT.fullmatch(first)) and not set(text) & set('/\\\n"')
