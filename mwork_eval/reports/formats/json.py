"""The report as JSON: the same numbers, unrounded."""

from dataclasses import asdict
from typing import Any

from mwork_eval.files.json_values import dump
from mwork_eval.files.seal import sealed
from mwork_eval.results.detector_tables import DetectorTable, read_detector_tables
from mwork_eval.results.doses import Dose, read_doses
from mwork_eval.results.manifest import preset_sets
from mwork_eval.results.pivot_keys import keyed_delta, keyed_role
from mwork_eval.results.set_draws import SetDraws, read_set_draws
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import DeltaTable, Results


def as_json(*results: Results) -> str:
    """Return the report: `model`, `stages`, `sets`, `tables`, `squares`, `doses`, `set_draws`, `detectors`, `cells`.

    `docs/formats.md` describes them.
    The reports of several folders lie under `reports`, by folder. `report.schema.json` is the schema of both.
    """
    report = (
        _report(results[0])
        if len(results) == 1
        else {"format": "mwork-reports", "version": 1, "reports": {str(one.folder): _report(one) for one in results}}
    )
    return sealed(dump(report, indent=1) + "\n")


def _report(results: Results) -> dict[str, Any]:
    manifest, detectors = results.manifest.to_values(), [_detectors(one) for one in read_detector_tables(results)]
    return {
        "format": "mwork-report",
        "version": 3,
        **{key: manifest[key] for key in ("model", "fingerprint", "stages", "sets", "languages", "limit", "seeds")},
        "pivot": results.manifest.pivot,
        **{key: manifest[key] for key in ("prompting", "model_args", "engine") if key in manifest},
        **({"limits": manifest["limits"]} if "limits" in manifest else {}),
        "versions": manifest["versions"],
        "tables": [_table(table) for table in results.tables],
        "squares": [asdict(square, dict_factory=_written) for square in read_squares(results)],
        "doses": [_dose(dose) for dose in read_doses(results)],
        "set_draws": [_without_pivot(draws) for draws in read_set_draws(results)],
        # Only comparisons of detectors have them.
        **({"preset_sets": preset_sets(results.manifest), "detectors": detectors} if detectors else {}),
        "cells": [asdict(row) for row in results.cells],
    }


def _table(table: DeltaTable) -> dict[str, Any]:
    # Names of tasks that follow from the rest are not written.
    values = {name: value for name, value in _without_pivot(table).items() if name != "tasks" or value}
    for row in values["rows"]:
        if row["delta"] is not None:
            row["delta"] = keyed_delta(row["delta"], table.pivot)
    return values


def _dose(dose: Dose) -> dict[str, Any]:
    values = _without_pivot(dose)
    for point in values["points"]:
        if point["control"] is not None:
            point["control"] = keyed_role(point["control"], dose.pivot)
    return values | {"points": [keyed_role(point, dose.pivot) for point in values["points"]]}


def _detectors(table: DetectorTable) -> dict[str, Any]:
    values = _without_pivot(table)
    for part in (values["rows"], *values["curves"].values()):
        for row in part:
            if row["control"] is not None:
                row["control"] = keyed_role(row["control"], table.pivot)
    curves = {name: [keyed_role(point, table.pivot) for point in points] for name, points in values["curves"].items()}
    return values | {"rows": [keyed_role(row, table.pivot) for row in values["rows"]], "curves": curves}


def _without_pivot(part: DeltaTable | Dose | SetDraws | DetectorTable) -> dict[str, Any]:
    """Return a part as JSON values; the report says the pivot once."""
    values = asdict(part, dict_factory=_written)
    del values["pivot"]
    return values


def _written(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return what is written of a value: what is done to neurons only where they are not deactivated."""
    return {name: value for name, value in pairs if (name, value) != ("intervention", "zero")}
