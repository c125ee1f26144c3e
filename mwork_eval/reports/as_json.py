"""The report as JSON: the same numbers, unrounded."""

import json
from dataclasses import asdict

from mwork_eval.reports.results import Results


def as_json(results: Results) -> str:
    """Return the report: `model`, `stages`, `sets`, `tables` and `cells`; `docs/formats.md` describes them."""
    manifest = results.manifest
    report = {
        "format": "mwork-report",
        "version": 2,
        **{key: manifest[key] for key in ("model", "fingerprint", "stages", "sets", "languages", "limit", "seeds")},
        "versions": manifest["versions"],
        "tables": [asdict(table) for table in results.tables],
        "cells": [asdict(row) for row in results.cells],
    }
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"
