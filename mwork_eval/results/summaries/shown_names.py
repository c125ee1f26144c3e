"""Names and folders as a page shows them: nothing of the machine that they are from."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from mwork_eval.results.sanitized_names import shown_part

_POSIX = re.compile(r"/|~|\.{1,2}(/|$)|[A-Za-z][A-Za-z0-9+.-]*://")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|.*\\")


def shown_name(name: str) -> str:
    """Return the last part of a name that is a path (POSIX or Windows, or a folder that is there), else the name."""
    if _WINDOWS.match(name):
        return PureWindowsPath(name).name or name
    if _POSIX.match(name) or _is_there(name):
        return PurePosixPath(name).name or Path(name).resolve().name or name
    return name


def shown_roots(given: Sequence[Path]) -> dict[Path, str]:
    """Return the folders in which results were looked for by what is shown of them, the innermost first.

    That is the last part; of several folders of one last part, all but the first are numbered.
    """
    places: dict[str, list[Path]] = {}
    found: dict[Path, str] = {}
    for one in given:
        root = one if one.is_dir() else one.parent
        whole = root.resolve()
        name = shown_part(whole.name)
        alike = places.setdefault(name, [])
        if whole not in alike:
            alike.append(whole)
        number = alike.index(whole) + 1
        found[root] = name if number == 1 else f"{name} ({number})"
    return dict(sorted(found.items(), key=lambda item: -len(item[0].parts)))


def shown_folder(folder: Path, roots: Mapping[Path, str]) -> Path:
    """Return a folder with what is shown of the folder given that it lies in, and what comes after it.

    Args:
        folder: The folder.
        roots: What `shown_roots` returns; of a folder that lies in none of them, the last part is shown.
    """
    for root, name in roots.items():
        if folder.is_relative_to(root):
            return Path(name, *map(shown_part, folder.relative_to(root).parts))
    return Path(shown_part(folder.name))


def without_folders(text: str, given: Sequence[Path]) -> str:
    """Return a message with what is shown of each folder given in the place of its path."""
    for root, name in shown_roots(given).items():
        for path in dict.fromkeys([str(root), str(root.resolve())]):
            if len(Path(path).parts) > 1:
                text = text.replace(path, name)
    return re.sub(r"[^/\\]+", lambda part: shown_part(part[0]), text)


def _is_there(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long for a path, or with a zero in it
        return False
