"""What a table consists of: its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mwork_eval.neurons.stages import POSITIONS


@dataclass(frozen=True)
class Setting:
    """One row of a table: which positions are deactivated, and whether at random.

    Attributes:
        random: Whether random neurons are deactivated instead of language-specific ones.
        positions: The positions, in the order of `POSITIONS`.
        intervention: What is done to the neurons, as `Intervention.of` reads it; `zero` deactivates them.
    """

    random: bool
    positions: tuple[str, ...]
    intervention: str = "zero"

    @property
    def name(self) -> str:
        """Short name, such as `LS under`, `R all` or `LS under · scale:0.5`."""
        where = "all" if self.positions == POSITIONS else " + ".join(self.positions)
        done = "" if self.intervention == "zero" else f" · {self.intervention}"
        return f"{'R' if self.random else 'LS'} {where}{done}"


@dataclass(frozen=True)
class Preset:
    """The settings of one table.

    Attributes:
        name: Name on the command line.
        table: Number of the table in the paper, or None if it is not the paper's.
        ability: What the table is about; may be empty.
        task: The benchmark to use.
        settings: The rows, each once; at least one is language-specific.
        tasks: By language, the lm-eval tasks of `task` where the user defined it.
    """

    name: str
    table: int | None
    ability: str
    task: str
    settings: tuple[Setting, ...]
    tasks: Mapping[str, str] | None = field(default=None, hash=False)
