"""Folders that lm-eval names after the path of a model: what they show of the machine that they are from."""

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


def without_folders(path: str) -> str:
    """Return a path with the last part of what lm-eval names folders of a model after."""
    return "/".join(part.rpartition("__")[2] if is_sanitized(part) else part for part in path.split("/"))
