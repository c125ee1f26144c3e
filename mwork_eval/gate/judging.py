"""Judge all comparisons of a run together: the tests of a run are corrected for their number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from mwork_eval.gate.comparison import ScoreChange
from mwork_eval.gate.control import Control, Evidence, correct
from mwork_eval.gate.delta_comparison import RowChange
from mwork_eval.gate.findings import RowResult, TaskResult
from mwork_eval.gate.limits import Limit
from mwork_eval.gate.power import detectable_drop
from mwork_eval.gate.snapshot import TaskName
from mwork_eval.gate.verdict import Outcome, Verdict, judge_change, judge_delta


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
    corrected = correct(own, control)
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
