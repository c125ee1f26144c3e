"""The configurations of `mwork run` that ship with the package."""

from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.resources import configs_folder

_ENDINGS = (".yaml", ".yml")


def shipped_configs() -> list[str]:
    """Return the names of the shipped configurations."""
    return sorted(path.stem for path in configs_folder().glob("*.yaml"))


def find_config(text: str | Path) -> Path:
    """Return the file that a name or a path stands for.

    Args:
        text: The name of a shipped configuration, such as `paper-mistral`; or a path, which has a folder, ends in
            `.yaml` or is a file.

    Raises:
        InputError: If there is none of that name.
    """
    path = Path(text)
    if len(path.parts) != 1 or path.suffix in _ENDINGS or path.is_file():
        return path
    if path.name not in shipped_configs():
        raise InputError(
            "no configuration of that name",
            found=str(text),
            expected=f"a YAML file, or one of {' '.join(shipped_configs())}",
        )
    return configs_folder() / f"{path.name}.yaml"
