"""What lm-eval's results say of a task, or of the tasks of a group together."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.results.main_metric import MainMetric, find_main_metric, need_documents, numbers_of
from mwork_eval.results.task_score import TaskScore

Scored = tuple[MainMetric, dict[str, float], list[dict[str, Any]], dict[str, Any]]
"""The main metric with its documents, all metrics, lm-eval's samples, and what its results say of the task."""

_PARTS = {"config": "configs", "version": "versions", "n_shot": "n-shot"}


def score_task(prepared: PreparedTask, results: Mapping[str, Any]) -> Scored:
    """Return what lm-eval's results say of a single task.

    Raises:
        InputError: If it has no metric that is a mean over documents, or not the one asked for.
    """
    name = prepared.name
    reported = results["results"][name]
    main = _main_metric(name, results, prepared.metric)
    about = {part: results[place].get(name) for part, place in _PARTS.items()}
    return main, numbers_of(reported), results["samples"][name], about


def score_group(prepared: PreparedTask, results: Mapping[str, Any]) -> Scored:
    """Return what lm-eval's results say of the tasks of a group, as one task.

    The score is the mean over all documents, whatever task they are of: as lm-eval aggregates a group with
    `weight_by_size`, where every document counts one; without it, lm-eval takes the mean of the tasks' means.

    Raises:
        InputError: If a task has no metric that is a mean over documents, or not that of the others.
    """
    metric, mains = prepared.metric, []
    for part in prepared.parts:
        mains.append(_main_metric(part.name, results, metric))
        metric = mains[0].metric
    first = mains[0]
    if others := [part.name for part, main in zip(prepared.parts, mains, strict=True) if main.metric != first.metric]:
        raise InputError(
            f"the tasks of {prepared.name} have several metrics",
            found=f"{first.metric} and, of {others[0]}, another",
            hint="choose one with `metric`",
        )
    group = prepared.task
    main = MainMetric(
        first.metric,
        first.higher_is_better,
        tuple(document for one in mains for document in one.documents),
        tuple(
            sample
            for part, one in zip(prepared.parts, mains, strict=True)
            for sample in group.renumber(part.name, (dict(sample) for sample in one.samples))
        ),
    )
    scores = {main.metric: TaskScore(main.metric, main.higher_is_better, main.documents, {}).score}
    samples = [sample for part in prepared.parts for sample in group.renumber(part.name, results["samples"][part.name])]
    return main, scores, samples, _about_group(prepared, results)


def _main_metric(name: str, results: Mapping[str, Any], metric: str | None) -> MainMetric:
    reported = results["results"][name]
    main = find_main_metric(
        name,
        reported,
        declared=results["configs"].get(name),
        directions=results["higher_is_better"].get(name),
        samples=results["samples"][name],
        metric=metric,
    )
    return need_documents(name, main, reported)


def _about_group(prepared: PreparedTask, results: Mapping[str, Any]) -> dict[str, Any]:
    """Say of a group what lm-eval's results say of a task: what its tasks have in common."""
    names = [part.name for part in prepared.parts]
    versions = {name: results["versions"].get(name) for name in names}
    common = len(set(map(str, versions.values()))) == 1
    shots = [results["n-shot"].get(name) for name in names]
    config = dict(results["configs"].get(names[0]) or {})
    return {
        "config": {
            "group": prepared.name,
            "task": names,
            **{key: config[key] for key in ("output_type", "metric_list") if key in config},
        },
        "version": versions[names[0]] if common else versions,
        "n_shot": max((shot for shot in shots if isinstance(shot, int)), default=None),
    }
