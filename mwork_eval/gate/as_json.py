"""The check as JSON: the same numbers, unrounded."""

import json
from dataclasses import asdict
from typing import Any

from mwork_eval.gate.comparison import Change
from mwork_eval.gate.findings import Check

_RESULTS = ("pass", "regression", "not compared")


def as_json(check: Check) -> str:
    """Return the check as `docs/ci.md` describes it."""
    content = {
        "format": "mwork-check",
        "version": 1,
        "result": _RESULTS[check.exit_code],
        "exit_code": check.exit_code,
        "old": check.old,
        "new": check.new,
        "models": check.models,
        "strict": check.strict,
        "tasks": [
            {
                **asdict(result.name),
                "metric": result.metric,
                **_change(result.change),
                **asdict(result.limit),
                **asdict(result.verdict),
            }
            for result in check.tasks
        ],
        "rows": [
            {
                "preset": result.row.preset,
                "task": result.row.task,
                "setting": result.row.setting,
                "languages": result.row.languages,
                **_change(result.row.delta),
                "new_delta": asdict(result.row.new),
                "required": result.minimum,
                **asdict(result.verdict),
            }
            for result in check.rows
        ],
        "neuron_sets": [
            {
                "language": result.language,
                "jaccard": result.overlap,
                "required": result.minimum,
                **asdict(result.verdict),
            }
            for result in check.overlaps
        ],
        "problems": [asdict(problem) for problem in check.problems],
        "notes": check.notes,
    }
    return json.dumps(content, indent=1) + "\n"


def _change(change: Change) -> dict[str, Any]:
    return {**asdict(change), "relative": change.relative, "detectable": change.detectable}
