"""Find presets: those of the paper's tables in `presets.yaml`, and a user's own in a file."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.matrix.preset_file import read_presets
from mwork_eval.matrix.settings import Preset

_FILE_ENDINGS = (".yaml", ".yml")


@cache
def load_presets() -> dict[str, Preset]:
    """Return the presets of the paper's tables by name."""
    return {preset.name: preset for preset in read_presets(Path(__file__).with_name("presets.yaml"))}


def find_preset(name: str) -> Preset:
    """Return a preset of the paper's tables.

    Raises:
        InputError: If there is none of that name; lists those there are.
    """
    presets = load_presets()
    if name not in presets:
        raise InputError(
            "unknown preset", found=repr(name), expected=f"one of {' '.join(presets)}, or a .yaml file of presets"
        )
    return presets[name]


def find_presets(references: Sequence[str]) -> tuple[Preset, ...]:
    """Return the presets that names and files mean, each once.

    Args:
        references: Names of presets, and paths that end in `.yaml` or `.yml`; all presets of a file are taken.

    Raises:
        InputError: If none is given, one is unknown, a file is unusable, or two different ones have one name.
    """
    if not references:
        raise InputError("no preset given", expected=f"`preset` with one of {' '.join(load_presets())}, or a file")
    found: dict[str, Preset] = {}
    for reference in references:
        own = reference.endswith(_FILE_ENDINGS)
        for preset in read_presets(Path(reference).expanduser()) if own else [find_preset(reference)]:
            if found.setdefault(preset.name, preset) != preset:
                raise InputError("two presets have one name", found=preset.name, hint="rename one of them")
    return tuple(found.values())
