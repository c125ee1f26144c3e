"""Write measured noise as a limits file."""

import json
import math

from mwork_eval.gate.calibration import Calibration, TaskNoise
from mwork_eval.gate.control import Control
from mwork_eval.gate.wording import plain
from mwork_eval.reports.wording import number

_DIGITS = 6
"""Decimals of a limit, which is rounded up: what was measured must not exceed it."""


def as_limits_file(calibration: Calibration) -> str:
    """Return the YAML that `mwork check --limits` reads."""
    chance = (
        f"any task falls by more than its limit in about {calibration.level * len(calibration.tasks):.0%}"
        if calibration.control is Control.FAMILY_WISE
        else f"a task falls by more than its limit in about {calibration.level:.0%}"
    )
    lines = [
        f"# Limits from the noise between {len(calibration.runs)} runs of one checkpoint, by mwork check --calibrate.",
        *(f"# model: {plain(model)}" for model in calibration.models),
        *(f"# run: {plain(run)}" for run in calibration.runs),
        f"# By noise alone {chance} of comparisons of two runs,",
        "# in percentage points or the unit of the task; no limit is below the largest difference seen.",
        "per:",
    ]
    return "\n".join([*lines, *map(_entry, calibration.tasks)]) + "\n"


def _entry(noise: TaskNoise) -> str:
    limit = math.ceil(round(noise.limit * 10**_DIGITS, 3)) / 10**_DIGITS
    cluster = "" if noise.cluster is None else f", cluster: {_quoted(noise.cluster)}"
    seen = f"largest difference {number(noise.largest, noise.unit)} {noise.unit}"
    changed = f"{noise.changed} of {noise.documents} documents differ at most"
    return f"  {_quoted(noise.name.full)}: {{max_drop: {limit:.{_DIGITS}f}{cluster}}} # {seen}, {changed}"


def _quoted(text: str) -> str:
    """Return a text as YAML reads it; JSON's strings are YAML's, but for what ends a line in YAML alone."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
