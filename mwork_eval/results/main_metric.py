"""The main metric of a task, its direction and its unit: one rule for matrix, gate, leaderboard and reports."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.errors import InputError
from mwork_eval.results.task_score import TaskScore, share_of_document

BITS_PER_BYTE = "bits per byte"
POINTS = "points"
UNITS = "units"
_TOLERANCE = 1e-6
"""Relative difference that lm-eval's sum and ours may have."""
_MEANS = ("mean", "nanmean", "bits_per_byte")
"""Aggregations that are a sum over documents, or a ratio of two; only such a metric can be compared by document."""


@dataclass(frozen=True)
class MainMetric:
    """The metric by which a task is judged.

    Attributes:
        metric: Its name with the filter, such as `acc,none`.
        higher_is_better: Whether a higher score is better.
        documents: Numerator and denominator by document, in order of their index; empty if the documents are not known,
            or have no numbers of their own.
        samples: lm-eval's samples of the metric's filter, in the same order.
    """

    metric: str
    higher_is_better: bool
    documents: tuple[tuple[float, float], ...] = ()
    samples: tuple[Mapping[str, Any], ...] = ()


def find_main_metric(
    task: str,
    reported: Mapping[str, Any],
    *,
    declared: Mapping[str, Any] | None = None,
    directions: Mapping[str, Any] | None = None,
    samples: Sequence[Mapping[str, Any]] | None = None,
    metric: str | None = None,
) -> MainMetric:
    """Choose the main metric of a task: that of our benchmark, else the first that is a mean over its documents.

    "First" is in lm-eval's order, that of the task file, so `exact_match,strict-match` precedes `flexible-extract` and
    `acc` precedes `acc_norm`; bits per byte counts as a mean. Where documents are logged, their numbers tell what is a
    mean; else the aggregation that the task declares, or the metric's name. A task without any such metric has its
    first one, without documents.

    Args:
        task: Name of the lm-eval task.
        reported: What lm-eval's results say of it.
        declared: Its configuration, as in lm-eval's `configs`.
        directions: By metric, lm-eval's `higher_is_better`.
        samples: lm-eval's samples of it, of all filters; None if they are not known.
        metric: The metric to take instead, with or without its filter.

    Raises:
        InputError: If lm-eval reports no number, or not of the metric asked for.
        KeyError: If a sample has no filter or index.
    """
    names = numbers_of(reported)
    if not names:
        raise InputError(f"lm-eval reports no number of {task}", found=" ".join(reported) or "nothing")
    ordered = [name for name in names if metric is None or metric in (name, name.partition(",")[0])]
    if not ordered:
        raise InputError(f"{task} has no metric {metric}", found=" ".join(names), expected="one of these")
    if located := task_of(task):
        ordered.sort(key=lambda name: name != BENCHMARKS[located[0]].metric)
    for name in ordered:
        short, _, filter_name = name.partition(",")
        better = is_higher_better(short, (directions or {}).get(short))
        if samples is None:
            if located or _is_mean(short, declared or {}):
                return MainMetric(name, better)
            continue
        chosen = tuple(sorted((s for s in samples if s["filter"] == filter_name), key=lambda s: int(s["doc_id"])))
        documents = _documents(short, names[name], chosen)
        if documents:
            return MainMetric(name, better, documents, chosen)
    first, short = ordered[0], ordered[0].partition(",")[0]
    return MainMetric(first, is_higher_better(short, (directions or {}).get(short)))


def need_documents(task: str, found: MainMetric, reported: Mapping[str, Any]) -> MainMetric:
    """Return a metric that has documents, for what compares document by document.

    Raises:
        InputError: If it has none.
    """
    if found.documents:
        return found
    raise InputError(
        f"no metric of {task} is a mean over documents",
        found=", ".join(numbers_of(reported)),
        expected="one such as acc",
        hint="scores are compared document by document; leave the task out",
    )


def numbers_of(reported: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics, with their filters, that lm-eval reports of a task: numbers that are no standard errors."""
    return {
        key: float(value)
        for key, value in reported.items()
        if "," in key and "_stderr," not in key and isinstance(value, int | float)
    }


def is_higher_better(metric: str, declared: Any) -> bool:
    """Tell the direction of a metric.

    Args:
        metric: Its name without the filter.
        declared: What lm-eval says; None for metrics that its registry does not have.
    """
    return declared if isinstance(declared, bool) else metric not in _names()["lower_is_better"]


def factor_and_unit(metric: str, values: Iterable[float]) -> tuple[float, str]:
    """Return what numbers of a metric are multiplied by for a reader, and the unit they then have.

    A share is shown in points, times 100. The name of the metric decides, so that a task has one unit everywhere; only
    names that say nothing (or shares that a task's own code gives in percent) are judged by their values.

    Args:
        metric: Its name, with or without the filter.
        values: Its values by document or, where only that is known, the aggregate alone.
    """
    short, names = metric.partition(",")[0], _names()
    if short in names[BITS_PER_BYTE]:
        return 1.0, BITS_PER_BYTE
    if short in names["percent"]:
        return 1.0, POINTS
    if short not in names["own"] and all(0 <= value <= 1 for value in values):
        return 100.0, POINTS
    return 1.0, POINTS if short in names["share"] else UNITS


def _documents(
    metric: str, reported: float, samples: Sequence[Mapping[str, Any]]
) -> tuple[tuple[float, float], ...] | None:
    """Return the numbers of the documents if their mean (bits over bytes for bits per byte) is what lm-eval reports.

    A perplexity's is not: its documents have log-likelihoods, for which the other direction is better.
    """
    shares = [share_of_document(sample.get(metric), metric) for sample in samples]
    if not math.isfinite(reported):
        # Of a file, a number that is none is read as missing.
        missing = [metric in sample and sample[metric] is None for sample in samples]
        shares = [(math.nan, 1.0) if lacks else share for lacks, share in zip(missing, shares, strict=True)]
    documents = tuple(share for share in shares if share is not None)
    if not documents or len(documents) < len(shares) or not any(size for _, size in documents):
        return None
    mean = TaskScore(metric, True, documents, {}).score
    # A score that is no number is no reason to take another metric: who compares will say so.
    same = math.isclose(mean, reported, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE) or not math.isfinite(mean)
    return documents if same else None


def _is_mean(metric: str, declared: Mapping[str, Any]) -> bool:
    entries = declared.get("metric_list") or []
    entry = next((e for e in entries if isinstance(e, Mapping) and e.get("metric") == metric), {})
    aggregation = entry.get("aggregation")
    return metric not in _names()["over_all_documents"] if aggregation is None else aggregation in _MEANS


@cache
def _names() -> Mapping[str, frozenset[str]]:
    text = Path(__file__).with_name("metric_names.yaml").read_text(encoding="utf-8")
    return {kind: frozenset(names) for kind, names in yaml.safe_load(text).items()}
