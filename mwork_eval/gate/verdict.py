"""Whether a change is a regression: it exceeds its limit, and the documents can tell."""

from dataclasses import dataclass
from enum import StrEnum

from mwork_eval.gate.comparison import TaskChange
from mwork_eval.gate.control import Evidence
from mwork_eval.gate.delta_comparison import RowChange
from mwork_eval.gate.limits import Limit
from mwork_eval.reports.wording import number

NOT_ENOUGH = "not enough documents to tell"


class Outcome(StrEnum):
    """What a comparison says; only a regression fails."""

    PASS = "pass"
    UNSURE = NOT_ENOUGH
    REGRESSION = "regression"


@dataclass(frozen=True)
class Verdict:
    """An outcome and why.

    Attributes:
        outcome: The outcome.
        reason: Why it is no plain pass; empty if it is one.
    """

    outcome: Outcome
    reason: str = ""


def judge_change(change: TaskChange, limit: Limit, evidence: Evidence, strict: bool) -> Verdict:
    """Judge how a score changed.

    Args:
        change: The change.
        limit: How much it may drop.
        evidence: Whether the documents can tell it from no change.
        strict: Whether exceeding the limit is enough, whatever the evidence.
    """
    drop, relative = -change.change.value, -(change.relative or 0.0)
    exceeded = []
    if limit.max_drop is not None and _exceeds(drop, limit.max_drop):
        exceeded.append(f"{number(limit.max_drop, change.unit)} {change.unit}")
    if limit.max_relative_drop is not None and _exceeds(relative, limit.max_relative_drop):
        exceeded.append(f"{limit.max_relative_drop:.1%} of the score")
    if not exceeded:
        return Verdict(Outcome.PASS)
    share = f" ({relative:.1%} of the score)" if change.relative is not None else ""
    reason = f"dropped by {number(drop, change.unit)} {change.unit}{share}, allowed: {' and '.join(exceeded)}"
    return _verdict(reason, evidence, strict, change)


def judge_delta(row: RowChange, minimum: float, evidence: Evidence, strict: bool) -> Verdict:
    """Judge whether ∆ of NEW is large enough.

    Args:
        row: The row.
        minimum: The smallest ∆ allowed.
        evidence: Whether the documents can tell ∆ of NEW from the minimum.
        strict: Whether a smaller ∆ is enough to fail, whatever the evidence.
    """
    value, unit = row.new.value, row.delta.unit
    if not _exceeds(minimum, value):
        return Verdict(Outcome.PASS)
    reason = f"∆ is {number(value, unit)} {unit}, required: {number(minimum, unit)}"
    return _verdict(reason, evidence, strict, row.delta)


def judge_overlap(overlap: float, minimum: float | None) -> Verdict:
    """Judge whether the neuron sets of OLD and NEW share enough."""
    if minimum is None or overlap >= minimum:
        return Verdict(Outcome.PASS)
    return Verdict(Outcome.REGRESSION, f"the sets overlap by {overlap:.3f}, required: {minimum:g}")


def _verdict(reason: str, evidence: Evidence, strict: bool, change: TaskChange) -> Verdict:
    if evidence.can_tell or strict:
        return Verdict(Outcome.REGRESSION, f"{reason}; {evidence}")
    count = f"{change.documents} document{'s' if change.documents > 1 else ''}"
    if change.clusters < change.documents:
        count += f" in {change.clusters} cluster{'s' if change.clusters > 1 else ''}"
    if evidence.detectable is None:
        power = f"{count} can tell no drop, however large"
    else:
        power = f"{count} can tell about {number(evidence.detectable, change.unit)} {change.unit} at best"
    return Verdict(Outcome.UNSURE, f"{reason}; {evidence}; {NOT_ENOUGH}: {power}")


def _exceeds(value: float, limit: float) -> bool:
    """Compare beyond rounding: a drop of exactly the limit is allowed, however the sums were rounded."""
    return value > limit + 1e-9
