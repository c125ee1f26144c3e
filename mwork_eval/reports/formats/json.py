"""The report as JSON: the same numbers, unrounded."""

from dataclasses import asdict
from typing import Any

from mwork_eval.files.json_values import dump
from mwork_eval.files.seal import sealed
from mwork_eval.results.doses import read_doses
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import Results


def as_json(*results: Results) -> str:
    """Return the report: `model`, `stages`, `sets`, `tables`, `squares`, `doses`, `set_draws`, `cells` and more.

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
    manifest = results.manifest.to_values()
    return {
        "format": "mwork-report",
        "version": 3,
        **{key: manifest[key] for key in ("model", "fingerprint", "stages", "sets", "languages", "limit", "seeds")},
        **({"limits": manifest["limits"]} if "limits" in manifest else {}),
        "versions": manifest["versions"],
        "tables": [asdict(table) for table in results.tables],
        "squares": [asdict(square) for square in read_squares(results)],
        "doses": [asdict(dose) for dose in read_doses(results)],
        "set_draws": [asdict(draws) for draws in read_set_draws(results)],
        "cells": [asdict(row) for row in results.cells],
    }
