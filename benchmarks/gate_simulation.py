"""Made-up changes of scores with a known truth, for the gate: whether it fails without a drop, and finds one."""

from collections.abc import Sequence

import numpy as np

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.gate.comparison import ScoreChange
from mwork_eval.gate.limits import Control, Limit
from mwork_eval.gate.verdict import Judged, TaskComparison, judge
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.statistics.sign_flips import sign_flip_p

KINDS = ("binary", "f1", "bpb")
MOVED = 0.1
"""Share of binary documents that change their answer without any true change; of F1-like ones, three times as many."""
NOISE = 0.05
"""Standard deviation of a document's change in bits per byte."""
UNITS = {"binary": "points", "f1": "points", "bpb": "bits per byte"}


def differences(kind: str, documents: int, cluster: int, drop: float, generator: np.random.Generator) -> np.ndarray:
    """Return NEW - OLD by document, and the documents' weights: `[documents, 2]`; negative is damage.

    Args:
        kind: One of `KINDS`.
        documents: Their number.
        cluster: Documents per cluster; those of one change alike (half of the variance is the cluster's).
        drop: The true drop, as a share or in bits per byte.
        generator: Source of chance.
    """
    clusters = np.arange(documents) // cluster
    shared = generator.choice([-1.0, 1.0], clusters[-1] + 1)[clusters]
    own = generator.choice([-1.0, 1.0], documents)
    if cluster > 1:
        own = np.where(generator.random(documents) < 0.5**0.5, shared, own)
    if kind == "bpb":
        weights = np.rint(np.exp(generator.normal(6.5, 0.7, documents)))
        size = NOISE * np.abs(generator.standard_t(5, documents)) / (5 / 3) ** 0.5
        return np.stack([weights * (own * size - drop), weights], 1)
    if kind == "f1":
        values = own * generator.uniform(0.05, 0.6, documents) * (generator.random(documents) < 3 * MOVED)
    else:
        values = own * (generator.random(documents) < MOVED)
    can_lose = values >= 0
    lost = can_lose & (generator.random(documents) < drop * documents / max(1, can_lose.sum()))
    return np.stack([values - lost, np.ones(documents)], 1)


def change(kind: str, documents: int, cluster: int, drop: float, generator: np.random.Generator) -> ScoreChange:
    """Return a change as the gate compares it, without an interval."""
    values, weights = differences(kind, documents, cluster, drop, generator).T
    starts = np.arange(0, documents, cluster)
    sums = np.add.reduceat(values, starts)
    factor = 1.0 if kind == "bpb" else 100.0
    value, spread = (factor * number / weights.sum() for number in (sums.sum(), sums.std(ddof=1) * len(sums) ** 0.5))
    found = Estimate(value, None, None, None)
    old = 60.0 if factor > 1 else 1.0
    new = old + value if factor > 1 else old - value
    p = sign_flip_p(sums)
    step = None if kind == "bpb" else 100.0  # what is lost was right
    return ScoreChange(old, new, UNITS[kind], found, documents, len(sums), p, spread, step, kind == "binary")


def judged(changes: Sequence[ScoreChange], limit: float, control: Control = Control.FAMILY_WISE) -> Judged:
    """Judge changes as the tasks of one run, all with one limit."""
    tasks = [
        TaskComparison(TaskName(str(n), str(n), None), "metric", change, Limit(limit, None))
        for n, change in enumerate(changes)
    ]
    return judge(tasks, [], strict=False, control=control)
