"""A model's comparisons of detectors as records of CSV files."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.results.detector_tables import DetectorRow
from mwork_eval.results.summaries.entries import ComparedDetectors

_CHANGES = ("own", "english", "delta", "difference")


def file_of(number: int) -> str:
    """Return the name of the file of a model's comparison, by its number from 1."""
    return "detectors.csv" if number == 1 else f"detectors-{number}.csv"


def detector_fields(pivot: Pivot) -> tuple[str, ...]:
    """Return the names of a row's values, as `report.json` calls them."""
    return (
        *("model", "fingerprint", "task", "setting", "unit", "detector", "language", "neurons"),
        *(f"{_key(name, pivot)}{end}" for name in _CHANGES for end in ("", "_low", "_high")),
        *("random_delta", "random_delta_low", "random_delta_high", "draws", "p", "p_holm", "cost", "folder", "time"),
    )


def detector_records(compared: Sequence[ComparedDetectors]) -> Iterator[dict[str, Any]]:
    """Yield a record per row of comparisons of one pivot, by `detector_fields`."""
    for one in compared:
        for row in one.table.rows:
            yield dict(zip(detector_fields(Pivot(one.table.pivot)), _values(one, row), strict=True))


def _values(one: ComparedDetectors, row: DetectorRow) -> tuple[Any, ...]:
    table, control = one.table, row.control
    changes = [getattr(row, name) for name in _CHANGES]
    return (
        *(one.contender.model, one.contender.fingerprint, table.task, table.setting, table.unit),
        *(row.detector, row.language, row.neurons),
        *(end for change in changes for end in (_ends(change) if change else (None,) * 3)),
        *((None,) * 4 if control is None else (*_spread(control.delta), control.draws)),
        *(row.p, row.p_holm, table.detectors[row.detector], os.fspath(one.folder), one.time),
    )


def _ends(change: Any) -> tuple[float, float | None, float | None]:
    return change.value, change.low, change.high


def _spread(spread: Any) -> tuple[float, float, float]:
    return spread.mean, spread.low, spread.high


def _key(name: str, pivot: Pivot) -> str:
    return pivot.role if name == "english" else name
