"""What the gate allows: false alarms, drops, what ∆ and the neuron sets must show; also as a YAML file."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.files.yaml_values import entries_of, read_yaml

LEVEL = 0.05
"""Share of runs without a true change in which the gate may fail."""
POINTS = 1.0
"""Largest drop without a limits file, in percentage points (for other metrics but bits per byte, in their unit)."""
BITS_PER_BYTE = 0.02
"""Largest drop in bits per byte, unless a limit of the task says otherwise."""
_BITS_PER_BYTE_UNIT = "bits per byte"
_DROPS = ("max_drop", "max_relative_drop")
_PER = (*_DROPS, "cluster")
_Check = Callable[[float], bool]


class Control(StrEnum):
    """What `LEVEL` holds for: a whole run of the gate, or each comparison by itself."""

    FAMILY_WISE = "family-wise"
    PER_TASK = "per task"

    def level(self, comparisons: int) -> float:
        """Return the level a comparison needs to fail by itself; Holm's method asks no more of any."""
        return LEVEL if self is Control.PER_TASK else LEVEL / max(1, comparisons)


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


def read_limits(path: Path) -> Limits:
    """Read a limits file; `docs/ci.md` describes it.

    Raises:
        InputError: If the file is missing or no YAML, or an entry is unknown, repeated or of the wrong kind.
    """
    file = read_yaml(path, "a YAML file of limits")
    entries = _Entries(path, file.root)
    top = entries.mapping({} if file.value is None else file.value, (), (*_DROPS, "per", "require"))
    per = entries.mapping(top.get("per", {}), ("per",))
    require = entries.mapping(top.get("require", {}), ("require",), ("delta", "overlap"))
    delta = entries.mapping(require.get("delta", {}), ("require", "delta"))
    overlap = entries.mapping(require.get("overlap", {}), ("require", "overlap"))
    per = {key: entries.mapping(value, ("per", key), _PER) for key, value in per.items()}
    return Limits(
        overall=entries.drops(top, ()),
        per={key: entries.drops(value, ("per", key)) for key, value in per.items()},
        clusters={
            key: entries.name(value["cluster"], ("per", key, "cluster"))
            for key, value in per.items()
            if "cluster" in value
        },
        delta={key: entries.minimum(value, ("require", "delta", key)) for key, value in delta.items()},
        overlap={key: entries.share(value, ("require", "overlap", key)) for key, value in overlap.items()},
    )


class _Entries:
    """Checks of entries, which know where an entry stands in the file."""

    def __init__(self, path: Path, root: yaml.Node | None) -> None:
        self._path, self._root = path, root

    def mapping(self, value: Any, place: tuple[str, ...], known: Sequence[str] = ()) -> Mapping[str, Any]:
        """Return a mapping with texts as keys, of the known ones if there are such."""
        expected = f"a mapping with some of {', '.join(known)}" if known else "a mapping by name"
        if not isinstance(value, dict):
            raise self._error(place, type(value).__name__, expected)
        for key in value:
            # YAML reads the language code `no` as false, and a bare number as one.
            if not isinstance(key, str):
                raise self._error(place, repr(key), "a name; put it in quotes")
            if known and key not in known:
                raise self._error((*place, key), "an unknown entry", f"one of {', '.join(known)}")
        return value

    def drops(self, values: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, float | None]:
        """Return the entries that limit a drop."""
        checks: dict[str, tuple[_Check, str]] = {
            "max_drop": (lambda drop: drop >= 0, "a number from 0 in points, or null for no limit"),
            "max_relative_drop": (lambda drop: 0 <= drop <= 1, "a share from 0 to 1, or null for no limit"),
        }
        return {
            name: None if values[name] is None else self._number(values[name], (*place, name), *checks[name])
            for name in _DROPS
            if name in values
        }

    def name(self, value: Any, place: tuple[str, ...]) -> str:
        """Return the name of a field."""
        if not (isinstance(value, str) and value):
            raise self._error(place, repr(value), "the name of a field of the documents")
        return value

    def minimum(self, value: Any, place: tuple[str, ...]) -> float:
        """Return the number of `{min: number}`."""
        entry = self.mapping(value, place, ("min",))
        return self._number(entry.get("min"), (*place, "min"), lambda _: True, "a number in the unit of the table")

    def share(self, value: Any, place: tuple[str, ...]) -> float:
        """Return a number from 0 to 1."""
        return self._number(value, place, lambda share: 0 <= share <= 1, "a Jaccard index from 0 to 1")

    def _number(self, value: Any, place: tuple[str, ...], check: _Check, expected: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value) and check(value)):
            raise self._error(place, repr(value), expected)
        return float(value)

    def _error(self, place: tuple[str, ...], found: str, expected: str) -> InputError:
        entry = f"entry {': '.join(map(repr, place))}" if place else "the file"
        return InputError(f"{self._path}, line {self._line(place)}: {entry}", found=found, expected=expected)

    def _line(self, place: tuple[str, ...]) -> int:
        """Return the line of an entry, or of the nearest one around it."""
        node, line = self._root, 1
        for name in place:
            found = [pair for pair in entries_of(node) if pair[0].value == name]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        return line
