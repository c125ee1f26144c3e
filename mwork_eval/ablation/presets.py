"""Presets: the settings of the paper's tables, read from `presets.yaml`."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from mwork_eval.errors import InputError
from mwork_eval.neurons.stages import POSITIONS, parse_positions


@dataclass(frozen=True)
class Setting:
    """One row of a table: which positions are deactivated, and whether at random.

    Attributes:
        random: Whether random neurons are deactivated instead of language-specific ones.
        positions: The positions, in the order of `POSITIONS`.
    """

    random: bool
    positions: tuple[str, ...]

    @property
    def name(self) -> str:
        """Short name, such as `LS under` or `R all`."""
        where = "all" if self.positions == POSITIONS else " + ".join(self.positions)
        return f"{'R' if self.random else 'LS'} {where}"


@dataclass(frozen=True)
class Preset:
    """The settings of one table.

    Attributes:
        name: Name on the command line.
        table: Number of the table in the paper.
        ability: What the table is about.
        task: The benchmark the paper uses there.
        settings: The rows.
    """

    name: str
    table: int
    ability: str
    task: str
    settings: tuple[Setting, ...]


@cache
def load_presets() -> dict[str, Preset]:
    """Return the presets by name."""
    text = Path(__file__).with_name("presets.yaml").read_text(encoding="utf-8")
    return {
        name: Preset(
            name,
            entry["table"],
            entry["ability"],
            entry["task"],
            tuple(Setting(row["random"], parse_positions(row["positions"])) for row in entry["settings"]),
        )
        for name, entry in yaml.safe_load(text).items()
    }


def find_preset(name: str) -> Preset:
    """Return a preset.

    Raises:
        InputError: If there is none of that name; lists those there are.
    """
    presets = load_presets()
    if name not in presets:
        raise InputError("unknown preset", found=repr(name), expected="one of " + " ".join(presets))
    return presets[name]
