"""The check as JSON: the same numbers, unrounded."""

import json
from dataclasses import asdict, fields
from typing import Any

from mwork_eval.gate.check import Check
from mwork_eval.gate.comparison import TaskChange
from mwork_eval.gate.limits import LEVEL
from mwork_eval.gate.verdict import Evidence
from mwork_eval.languages.table import ENGLISH

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
        "control": {"name": check.control, "level": LEVEL, "comparisons": check.comparisons},
        "tasks": [
            {
                **asdict(result.name),
                "metric": result.metric,
                **_change(result.change),
                "cluster_standard_error": result.change.spread,
                **_evidence(result.evidence),
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
                **({} if result.row.pivot == ENGLISH else {"pivot": result.row.pivot}),
                **_change(result.row.delta),
                "new_delta": asdict(result.row.new),
                "cluster_standard_error": result.row.spread,
                **_evidence(result.evidence),
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


def _change(change: TaskChange) -> dict[str, Any]:
    shared = {field.name: getattr(change, field.name) for field in fields(TaskChange)}
    return {**shared, "change": asdict(change.change), "relative": change.relative}


def _evidence(evidence: Evidence | None) -> dict[str, float | None]:
    names = ("p", "p_corrected", "detectable")
    return {name: None if evidence is None else getattr(evidence, name) for name in names}
