"""Read a plain results folder of lm-eval for the gate: `results_*.json` with `samples_*.jsonl`, of any model."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonlines

from mwork_eval.errors import InputError
from mwork_eval.gate.document_clusters import read_clusters
from mwork_eval.gate.snapshot import ClusterField, DocumentKey, Snapshot, TaskName, not_told
from mwork_eval.harness.data import task_of
from mwork_eval.harness.task_score import MAIN_METRICS, TaskScore, lm_eval_digest, share_of_document

_PATTERN = "results_*.json"
_TOLERANCE = 1e-6
"""Relative difference that lm-eval's sum and ours may have."""


def holds_lm_eval_results(folder: Path) -> bool:
    """Tell whether lm-eval wrote results to a folder, or to folders in it."""
    return any(folder.rglob(_PATTERN))


def read_lm_eval_folder(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read the newest scores of every task.

    The score of a task is its benchmark's main metric, else the first metric whose mean over documents (bits over
    bytes for bits per byte) is what lm-eval reports.

    Args:
        folder: The folder.
        cluster_field: By which field the documents of a task belong together; our own tasks know theirs.

    Raises:
        InputError: If there are results of several models, a file is missing, damaged or not as reported, or documents
            lack the field named.
    """
    files = sorted(folder.rglob(_PATTERN), key=lambda path: path.name)
    if len(models := {path.parent for path in files}) > 1:
        raise InputError(
            f"{folder} holds results of several models",
            found=", ".join(sorted(str(path.relative_to(folder)) for path in models)),
            hint="name one of these folders",
        )
    newest: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in files:
        results = _read_results(path)
        newest.update(dict.fromkeys(results["n-samples"], (path, results)))
    read = {name: _read_task(name, path, results, cluster_field) for name, (path, results) in newest.items()}
    _, latest = next(reversed(newest.values()))
    return Snapshot(
        model=str(latest.get("model_name") or latest.get("model_source")),
        cells=[_cell(TaskName.of(name), name) for name in read],
        scores={name: score for name, (score, _) in read.items()},
        keys={name: keys for name, (_, keys) in read.items()},
    )


def _cell(name: TaskName, identity: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("preset", "setting", "mask_language", "seed"))
    return nothing | {"task": name.task, "language": name.language, "identity": identity}


def _read_results(path: Path) -> dict[str, Any]:
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not results["n-samples"] or not all(task in results["results"] for task in results["n-samples"]):
            raise ValueError("no task")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error
    return results


def _read_task(
    name: str, path: Path, results: Mapping[str, Any], cluster_field: ClusterField
) -> tuple[TaskScore, tuple[DocumentKey, ...]]:
    file = path.parent / f"samples_{name}{path.stem.removeprefix('results')}.jsonl"
    if not file.is_file():
        raise InputError(
            f"{path} has no samples of {name}", found=f"no {file.name}", hint="run lm_eval with --log_samples"
        )
    try:
        with jsonlines.open(file) as lines:
            samples = list(lines.iter(type=dict))
        _check_whole(name, file, samples, results)
        metric, documents, chosen = _main_score(name, samples, results)
        better = bool(results["higher_is_better"][name].get(metric.partition(",")[0], True))
        keys = tuple(map(DocumentKey.of, chosen))
        clusters = read_clusters(TaskName.of(name), [sample.get("doc") for sample in chosen], cluster_field)
    except (jsonlines.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged", found=f"{type(error).__name__} {error}") from error
    return TaskScore(metric, better, documents, {}, clusters=clusters), keys


def _check_whole(name: str, file: Path, samples: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> None:
    """Check that the samples are those the results were computed from: their number, and lm-eval's digest of them."""
    documents, expected = len({sample["doc_id"] for sample in samples}), results["n-samples"][name]["effective"]
    if documents != expected:
        raise InputError(f"{file} is damaged", found=f"{documents} documents", expected=f"the {expected} scored")
    digest = results.get("task_hashes", {}).get(name)
    if digest is not None and digest != lm_eval_digest(samples):
        raise InputError(f"{file} is damaged", found="other samples than those scored")


def _main_score(
    name: str, samples: Sequence[Mapping[str, Any]], results: Mapping[str, Any]
) -> tuple[str, tuple[tuple[float, float], ...], list[Mapping[str, Any]]]:
    """Return the name of the main metric, the score by document, and the samples it is from."""
    reported = results["results"][name]
    for metric in _metrics(name, reported):
        short, _, filter_name = metric.partition(",")
        chosen = sorted((s for s in samples if s["filter"] == filter_name), key=lambda sample: int(sample["doc_id"]))
        documents = [share_of_document(sample.get(short), short) for sample in chosen]
        whole = tuple(document for document in documents if document is not None)
        if len(whole) == len(chosen) > 0 and _equals(TaskScore(metric, True, whole, {}).score, reported[metric]):
            return metric, whole, chosen
    raise InputError(
        f"no metric of {name} is a mean over documents",
        found=", ".join(_metrics(name, reported)),
        hint="the gate compares document by document; leave the task out",
    )


def _metrics(name: str, reported: Mapping[str, Any]) -> list[str]:
    """Return the metrics that lm-eval reports of a task, the main one of our benchmarks first."""
    scores = {key: value for key, value in reported.items() if "," in key and "_stderr," not in key}
    numbers = [key for key, value in scores.items() if isinstance(value, int | float)]
    if located := task_of(name):
        numbers.sort(key=lambda key: key != MAIN_METRICS[located[0]])
    return numbers


def _equals(found: float, reported: float) -> bool:
    # A score that is no number is no reason to take another metric: the comparison will say so.
    return math.isclose(found, reported, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE) or math.isnan(found)
