"""Whether changes are regressions: each exceeds its limit, and the documents, corrected over the run, can tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy import stats

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.gate.comparison import ScoreChange, TaskChange
from mwork_eval.gate.delta_comparison import RowChange
from mwork_eval.gate.limits import LEVEL, Control, Limit
from mwork_eval.reports.wording import number, p_value
from mwork_eval.statistics.power import detectable_drop
from mwork_eval.statistics.resampling import holm

NOT_ENOUGH = "not enough documents to tell"


class Outcome(StrEnum):
    """What a comparison says; only a regression fails."""

    PASS = "pass"
    UNSURE = NOT_ENOUGH
    REGRESSION = "regression"


@dataclass(frozen=True)
class Evidence:
    """What the documents of a comparison say.

    Attributes:
        p: Two-sided p-value of this comparison by itself.
        p_corrected: The p-value that is judged: corrected by Holm's method for all comparisons of the run that can
            fail, or `p` itself under control per task; None for a comparison that cannot fail.
        comparisons: Number of comparisons that can fail.
        control: What the control is.
        detectable: The smallest true drop (for ∆, distance below the minimum) that the gate finds in 80 % of runs with
            documents like these, judged as in this run; None if there is none, or it cannot be told.
    """

    p: float
    p_corrected: float | None
    comparisons: int
    control: Control
    detectable: float | None

    @property
    def can_tell(self) -> bool:
        """Whether the documents can tell."""
        return self.p_corrected is not None and self.p_corrected < LEVEL

    def __str__(self) -> str:
        shown = p_value(self.p_corrected)
        shown = f"p {shown}" if shown.startswith("<") else f"p = {shown}"
        if self.control is Control.PER_TASK:
            return f"{shown}, of this comparison alone"
        return f"{shown}, Holm over {comparisons_text(self.comparisons)}"


@dataclass(frozen=True)
class Verdict:
    """An outcome and why.

    Attributes:
        outcome: The outcome.
        reason: Why it is no plain pass; empty if it is one.
    """

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class TaskComparison:
    """A task that was compared and is to be judged."""

    name: TaskName
    metric: str
    change: ScoreChange
    limit: Limit

    @property
    def can_fail(self) -> bool:
        """Whether there is a limit that a drop could exceed."""
        return self.limit.max_drop is not None or self.limit.max_relative_drop is not None


@dataclass(frozen=True)
class RowComparison:
    """A table row that was compared and is to be judged if a smallest ∆ is required."""

    row: RowChange
    minimum: float | None


@dataclass(frozen=True)
class TaskResult:
    """A task that was compared."""

    name: TaskName
    metric: str
    change: ScoreChange
    limit: Limit
    evidence: Evidence
    verdict: Verdict


@dataclass(frozen=True)
class RowResult:
    """A table row whose ∆ was compared; it is judged, with evidence, only if a smallest ∆ is required."""

    row: RowChange
    minimum: float | None
    evidence: Evidence | None
    verdict: Verdict


@dataclass(frozen=True)
class Judged:
    """Everything that was judged.

    Attributes:
        tasks: The tasks, in the order given.
        rows: The table rows, likewise.
        comparisons: Number of comparisons that can fail.
    """

    tasks: list[TaskResult]
    rows: list[RowResult]
    comparisons: int


def judge(
    tasks: Sequence[TaskComparison], rows: Sequence[RowComparison], strict: bool, control: Control = Control.FAMILY_WISE
) -> Judged:
    """Judge every comparison; those that cannot fail do not count among the comparisons of the run.

    Args:
        tasks: The tasks.
        rows: The table rows.
        strict: Whether exceeding a limit is enough to fail, whatever the tests say.
        control: What the level of the tests holds for.
    """
    own = [task.change.p if task.can_fail else None for task in tasks]
    own += [None if row.minimum is None else delta_p(row.row, row.minimum) for row in rows]
    corrected = _correct(own, control)
    comparisons = sum(p is not None for p in own)
    level = control.level(comparisons)

    def evidence(p: float, p_corrected: float | None, detectable: float | None) -> Evidence:
        return Evidence(p, p_corrected, comparisons, control, detectable)

    judged = Judged([], [], comparisons)
    for task, p_corrected in zip(tasks, corrected, strict=False):
        found = evidence(task.change.p, p_corrected, task.change.detectable(level))
        verdict = judge_change(task.change, task.limit, found, strict)
        judged.tasks.append(TaskResult(task.name, task.metric, task.change, task.limit, found, verdict))
    for row, p, p_corrected in zip(rows, own[len(tasks) :], corrected[len(tasks) :], strict=True):
        if row.minimum is None or p is None:
            judged.rows.append(RowResult(row.row, None, None, Verdict(Outcome.PASS)))
            continue
        found = evidence(p, p_corrected, _detectable_distance(row.row, level))
        verdict = judge_delta(row.row, row.minimum, found, strict)
        judged.rows.append(RowResult(row.row, row.minimum, found, verdict))
    return judged


def _correct(p_values: Sequence[float | None], control: Control) -> list[float | None]:
    """Return the p-values that are judged, in the order given; None stays None and does not count."""
    counted = [p for p in p_values if p is not None]
    corrected = iter(holm(counted) if control is Control.FAMILY_WISE else counted)
    return [None if p is None else next(corrected) for p in p_values]


def comparisons_text(comparisons: int) -> str:
    """Return a number of comparisons in words."""
    return f"{comparisons} comparison{'' if comparisons == 1 else 's'}"


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


def delta_p(row: RowChange, minimum: float) -> float:
    """Return the two-sided p-value of ∆ of NEW being the smallest ∆ allowed.

    Student's t with the standard error over clusters. There is no exact test here: under a minimum that is not zero,
    the documents of OLD and NEW could not as well change places. In points the error is the one ∆ would have at the
    minimum, as in a score test (Wilson 1927): documents that happened to change alike show no spread, and are no
    certainty, since some more would be lost. In other units documents without any spread count as in a sign test.
    """
    if row.spread is None:
        return 1.0
    distance, clusters = abs(row.new.value - minimum), row.delta.clusters
    variance = row.spread**2
    if row.delta.unit == "points":
        variance += max(0.0, distance * (100 - distance)) / row.masked_clusters
    if not variance:
        return 2.0 ** (1 - clusters) if distance else 1.0
    return 2 * float(stats.t.sf(distance / math.sqrt(variance), clusters - 1))


def _detectable_distance(row: RowChange, level: float) -> float | None:
    """Return the distance of ∆ of NEW below the smallest ∆ allowed that is found in 80 % of runs."""
    step = 100.0 if row.delta.unit == "points" else 0.0
    if row.spread is None or not row.spread + step:
        return None
    return detectable_drop(row.spread, step, row.masked_clusters, math.inf, level)
