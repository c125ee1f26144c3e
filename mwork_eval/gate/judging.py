"""Judge all comparisons of a run together: the tests of a run are corrected for their number."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from mwork_eval.gate.comparison import ScoreChange
from mwork_eval.gate.control import Control, Evidence, correct
from mwork_eval.gate.delta_comparison import RowChange
from mwork_eval.gate.findings import RowResult, TaskResult
from mwork_eval.gate.limits import Limit
from mwork_eval.gate.power import detectable_distance
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
        detectable = detectable_distance(row.row.spread, row.row.delta.clusters, level) if row.row.spread else None
        found = evidence(p, p_corrected, detectable)
        verdict = judge_delta(row.row, row.minimum, found, strict)
        judged.rows.append(RowResult(row.row, row.minimum, found, verdict))
    return judged


def delta_p(row: RowChange, minimum: float) -> float:
    """Return the two-sided p-value of ∆ of NEW being the smallest ∆ allowed.

    Student's t with the standard error over clusters. There is no exact test here: under a minimum that is not zero,
    the documents of OLD and NEW could not as well change places. So that documents that happened to change alike,
    which have no spread, are not taken for certainty, p is at least the chance that none of as many clusters shows a
    change that a share of documents as large as the distance from the minimum has (half of them, where ∆ is in no
    points).
    """
    if row.spread is None:
        return 1.0
    distance, clusters = abs(row.new.value - minimum), row.delta.clusters
    share = min(distance / 100, 1.0) if row.delta.unit == "points" else 0.5
    unseen = 2 * (1 - share) ** clusters
    if not row.spread:
        return min(1.0, unseen) if distance else 1.0
    return min(1.0, max(2 * float(stats.t.sf(distance / row.spread, clusters - 1)), unseen))
