"""The limits of the gate: how much a score may drop, and what ∆ and the neuron sets must show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import TaskName

POINTS = 1.0
"""Largest drop without a limits file, in percentage points (for other metrics but bits per byte, in their unit)."""
BITS_PER_BYTE = 0.02
"""Largest drop in bits per byte, unless a limit of the task says otherwise."""
_BITS_PER_BYTE_UNIT = "bits per byte"


@dataclass(frozen=True)
class Limit:
    """How much a score may drop.

    Attributes:
        max_drop: In the unit of the task; None for no limit.
        max_relative_drop: As a share of the score; None for no limit.
    """

    max_drop: float | None
    max_relative_drop: float | None


@dataclass(frozen=True)
class Limits:
    """All limits of a comparison.

    Attributes:
        overall: `max_drop` (in points) and `max_relative_drop` of every task; either may be missing.
        per: The same by lm-eval task, benchmark or language.
        delta: By row (`LS all`) or row and benchmark (`LS all on bpb`), the smallest ∆.
        overlap: By language, the smallest Jaccard index of the neuron sets.
        clusters: By lm-eval task, benchmark or language, the field of a document that tells what it belongs to.
    """

    overall: Mapping[str, float | None] = field(default_factory=dict)
    per: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    delta: Mapping[str, float] = field(default_factory=dict)
    overlap: Mapping[str, float] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)

    def of_task(self, name: TaskName, unit: str) -> Limit:
        """Return the limit of a task: that of the lm-eval task, else of the benchmark, the language, or of all.

        `max_drop` is in the unit of the task where it stands under the task or its benchmark, else in points, and
        then says nothing about bits per byte.
        """
        own = [self.per.get(name.full, {}), self.per.get(name.task, {})]
        shared = [self.per.get(name.language or "", {}), self.overall]
        in_points = unit != _BITS_PER_BYTE_UNIT
        default: Mapping[str, float | None] = {"max_drop": POINTS if in_points else BITS_PER_BYTE}
        return Limit(
            _first("max_drop", [*own, *(shared if in_points else []), default]),
            _first("max_relative_drop", [*own, *shared]),
        )

    def check_names(self, names: Iterable[TaskName]) -> None:
        """Check that every entry is about one of these tasks.

        Raises:
            InputError: If an entry names something else.
        """
        known = {known for name in names for known in (name.full, name.task, name.language) if known}
        if unknown := sorted((self.per.keys() | self.clusters.keys()) - known):
            raise InputError(
                "the limits name what neither folder has",
                found=" ".join(map(repr, unknown)),
                expected=f"some of {' '.join(sorted(known))}",
            )

    def cluster_of(self, name: TaskName) -> str | None:
        """Return the field by which documents of a task belong together, if one is named for it."""
        keys = (name.full, name.task, name.language or "")
        return next((self.clusters[key] for key in keys if key in self.clusters), None)

    def of_row(self, setting: str, task: str, unit: str) -> float | None:
        """Return the smallest ∆ a row of a table must show, or None.

        An entry that names no benchmark is in points, and says nothing about bits per byte.
        """
        general = self.delta.get(setting) if unit != _BITS_PER_BYTE_UNIT else None
        return self.delta.get(f"{setting} on {task}", general)


def _first(name: str, levels: list[Mapping[str, float | None]]) -> float | None:
    """Return the entry of the first level that has it."""
    return next((level[name] for level in levels if name in level), None)
