"""Whether a change is a regression: it exceeds its limit, and the documents can tell."""

from dataclasses import dataclass
from enum import StrEnum

from mwork_eval.ablation.statistics import Estimate, minimum_detectable
from mwork_eval.gate.comparison import Change
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


def judge_change(change: Change, limit: Limit, strict: bool) -> Verdict:
    """Judge how a score changed.

    Args:
        change: The change.
        limit: How much it may drop.
        strict: Whether exceeding the limit is enough, whatever the interval.
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
    sure = change.change.high is not None and change.change.high < 0
    return _verdict(reason, sure, strict, change.documents, change.detectable, change.unit)


def judge_delta(new: Estimate, minimum: float, documents: int, unit: str, strict: bool) -> Verdict:
    """Judge whether ∆ of NEW is large enough.

    Args:
        new: ∆ of NEW.
        minimum: The smallest ∆ allowed.
        documents: Number of documents.
        unit: Unit of ∆.
        strict: Whether a smaller ∆ is enough to fail, whatever the interval.
    """
    if not _exceeds(minimum, new.value):
        return Verdict(Outcome.PASS)
    reason = f"∆ is {number(new.value, unit)} {unit}, required: {number(minimum, unit)}"
    sure = new.high is not None and new.high < minimum
    detectable = minimum_detectable(new.standard_error) if new.standard_error else None
    return _verdict(reason, sure, strict, documents, detectable, unit)


def judge_overlap(overlap: float, minimum: float | None) -> Verdict:
    """Judge whether the neuron sets of OLD and NEW share enough."""
    if minimum is None or overlap >= minimum:
        return Verdict(Outcome.PASS)
    return Verdict(Outcome.REGRESSION, f"the sets overlap by {overlap:.3f}, required: {minimum:g}")


def _verdict(reason: str, sure: bool, strict: bool, documents: int, detectable: float | None, unit: str) -> Verdict:
    if sure or strict:
        return Verdict(Outcome.REGRESSION, reason)
    count = f"{documents} document{'s' if documents > 1 else ''}"
    power = (
        f"{count} can tell about {number(detectable, unit)} {unit} at best" if detectable else f"there is only {count}"
    )
    return Verdict(Outcome.UNSURE, f"{reason}; {NOT_ENOUGH}: {power}")


def _exceeds(value: float, limit: float) -> bool:
    """Compare beyond rounding: a drop of exactly the limit is allowed, however the sums were rounded."""
    return value > limit + 1e-9
