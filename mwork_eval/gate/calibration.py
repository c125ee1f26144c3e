"""How much scores differ between runs of one checkpoint: the falls that noise makes, and limits that allow them."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.gate.comparison import clusters_of, pair_documents, reordered, size_of_score
from mwork_eval.gate.limits import Control, Limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import Scored, Snapshot
from mwork_eval.gate.wording import plain
from mwork_eval.reports.wording import number
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Array, sum_by_cluster

_SURE = 0.8
"""Chance that no more documents change between two runs than is taken from those that did."""
_DIGITS = 6
"""Decimals of a limit, which is rounded up: what was measured must not exceed it."""


@dataclass(frozen=True)
class TaskNoise:
    """What repeating does to the score of a task.

    Attributes:
        name: The task.
        unit: Unit of the numbers.
        documents: Number of documents.
        changed: Largest number of documents that differ between two runs.
        largest: Largest difference of the score between two runs.
        spread: Standard deviation of the difference of two runs.
        limit: The largest fall that noise makes.
        cluster: The field by which documents were taken together, if one was named.
    """

    name: TaskName
    unit: str
    documents: int
    changed: int
    largest: float
    spread: float
    limit: float
    cluster: str | None


@dataclass(frozen=True)
class Calibration:
    """The noise between runs.

    Attributes:
        runs: The folders.
        models: Names of the models, each once.
        control: Whether the limits hold for all tasks together, or for each.
        level: The share of comparisons in which noise alone makes a task fall by more than its limit.
        tasks: The noise of each task.
    """

    runs: tuple[str, ...]
    models: tuple[str, ...]
    control: Control
    level: float
    tasks: tuple[TaskNoise, ...]


def calibrate(runs: Sequence[Path], limits: Limits, control: Control = Control.FAMILY_WISE) -> Calibration:
    """Measure the noise between runs of one checkpoint.

    The limit of a task is the largest difference between two of the runs, or the fall that two runs exceed with a
    chance of `LEVEL` over the number of tasks, whichever is more. The chance is that of a normal distribution whose
    variance is the larger of two estimates: from documents, which change independently of each other and tell much
    already in two runs; and from the scores of the runs, which show what changes all documents alike. More runs give
    narrower limits.

    Args:
        runs: Results folders of the same tasks and documents.
        limits: What names the clusters of documents.
        control: Whether the chance is shared among the tasks, or is each task's own.

    Raises:
        InputError: If there are fewer than two runs, one is named twice, or they are of other tasks or documents.
    """
    if len(runs) < 2:
        raise InputError("noise is what differs between runs", found=f"{len(runs)} run", expected="two runs or more")
    if len({run.resolve() for run in runs}) < len(runs):
        raise InputError("a run is named twice", found=" ".join(map(str, runs)), expected="different folders")
    snapshots = [read_snapshot(run, limits.cluster_of) for run in runs]
    tasks = _finished(snapshots[0], runs[0])
    limits.check_names(tasks)
    level = control.level(len(tasks))
    scores = {name: [scored.score] for name, scored in tasks.items()}
    for run, snapshot in zip(runs[1:], snapshots[1:], strict=True):
        others = _finished(snapshot, run)
        if differing := sorted(name.full for name in tasks.keys() ^ others.keys()):
            raise InputError(
                f"{runs[0]} and {run} are runs of different tasks", found=f"{' '.join(differing)} in one of them"
            )
        for name, scored in tasks.items():
            try:
                order = pair_documents(scored, others[name])
            except InputError as error:
                raise InputError(f"{name.full} differs between {runs[0]} (OLD) and {run} (NEW): {error}") from error
            scores[name].append(reordered(others[name].score, order))
    noise = (measure_noise(name, of_task, level, limits.cluster_of(name)) for name, of_task in scores.items())
    models = tuple(dict.fromkeys(snapshot.model for snapshot in snapshots))
    return Calibration(tuple(map(str, runs)), models, control, level, tuple(noise))


def _finished(snapshot: Snapshot, run: Path) -> dict[TaskName, Scored]:
    tasks = snapshot.tasks()
    finished = {name: scored for name, scored in tasks.items() if scored is not None}
    if len(finished) < len(tasks) or not tasks:
        missing = " ".join(name.full for name in tasks if name not in finished)
        raise InputError(f"{run} is not finished", found=f"no scores of {missing}" if tasks else "no task")
    return finished


def measure_noise(name: TaskName, scores: Sequence[TaskScore], level: float, cluster: str | None) -> TaskNoise:
    """Measure the noise of a task.

    Args:
        name: The task.
        scores: Its score in each run, of the same documents in the same order.
        level: The chance with which two runs may differ by more than the limit, in one direction.
        cluster: The field by which documents were taken together, if one was named.
    """
    columns = np.array([score.documents for score in scores], dtype=float)  # [runs, documents, 2]
    first, documents = scores[0], columns.shape[1]
    scale = Scale.of(TaskScore(first.metric, first.higher_is_better, tuple(map(tuple, columns.reshape(-1, 2))), {}))
    keys = scores[0].clusters
    for score in scores:
        keys = clusters_of(TaskScore(first.metric, True, first.documents, {}, clusters=keys), score)
    pairs = [_pair(columns[a], columns[b], keys) for a, b in combinations(range(len(scores)), 2)]
    by_run = float(np.mean([sums.sum() ** 2 for _, sums in pairs]))
    size = size_of_score(first) / columns[0, :, 1].sum() if scale.unit == "points" else 0.0
    spread = scale.factor * math.sqrt(max(_by_document([sums for _, sums in pairs], len(scores), size), by_run))
    falls = [scale.factor * score.score for score in scores]
    largest = max(falls) - min(falls)
    return TaskNoise(
        name,
        scale.unit,
        documents,
        max(changed for changed, _ in pairs),
        largest,
        spread,
        max(largest, spread * float(stats.norm.ppf(1 - level))),
        cluster,
    )


def _by_document(pairs: Sequence[Array], runs: int, size: float) -> float:
    """Return the variance of the difference of two runs, if clusters change independently of each other.

    It is the mean square of a change, times how many clusters may change between two runs: not as many as did, which
    is too few in half of the cases, and none where the few runs happened to agree, but the upper limit (`_SURE`) of
    the mean of a Poisson distribution.

    Args:
        pairs: Per pair of runs, what each cluster adds to the difference.
        runs: Number of runs; they are worth one independent pair less than there are.
        size: What a change is taken to be where none was seen.
    """
    moved = [sums[np.abs(sums) > 0] for sums in pairs]
    changes = sum(map(len, moved)) / len(pairs) * (runs - 1)
    square = float(np.mean(np.concatenate(moved) ** 2)) if changes else size**2
    return square * float(stats.chi2.ppf(_SURE, 2 * changes + 2)) / 2 / (runs - 1)


def _pair(one: Array, other: Array, keys: Sequence[str]) -> tuple[int, Array]:
    """Return how many documents differ between two runs, and what each cluster adds to the difference of the scores."""
    ratio = (one + other)[:, 0].sum() / (one + other)[:, 1].sum()
    difference = other[:, 0] - one[:, 0] - ratio * (other[:, 1] - one[:, 1])
    changed = int((np.abs(other - one).max(1) > 0).sum())
    return changed, sum_by_cluster(difference / one[:, 1].sum(), keys)


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
