"""Where the files that ship with the package lie, and where the user's cache is."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """Return a shipped folder: inside the package in a wheel, beside it in a source tree."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def tasks_folder() -> Path:
    """Return the folder of the lm-eval task files."""
    return _shipped("tasks")


def neuron_sets_folder() -> Path:
    """Return the folder of the shipped neuron sets, one subfolder per model."""
    return _shipped("neuron_sets")


def embedded_folder() -> Path:
    """Return the folder of the embedded texts and tasks, in the layout of ``MWORK_DATA``."""
    return _PACKAGE / "embedded"


def configs_folder() -> Path:
    """Return the folder of the configurations that ship with `mwork run`."""
    return _PACKAGE / "configs"


def cache_folder() -> Path:
    """Return the user's cache folder; ``MWORK_CACHE`` names it, else it lies below ``XDG_CACHE_HOME``."""
    if named := os.environ.get("MWORK_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mwork-eval"
