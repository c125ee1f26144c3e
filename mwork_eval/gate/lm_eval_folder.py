"""Read a plain results folder of lm-eval for the gate: `results_*.json` with `samples_*.jsonl`, of any model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonlines

from mwork_eval.errors import InputError
from mwork_eval.gate.document_clusters import read_clusters
from mwork_eval.gate.snapshot import ClusterField, DocumentKey, Snapshot, TaskName, not_told
from mwork_eval.results.definition import definition_in_results
from mwork_eval.results.main_metric import find_main_metric, need_documents
from mwork_eval.results.task_score import TaskScore, lm_eval_digest

_PATTERN = "results_*.json"


def holds_lm_eval_results(folder: Path) -> bool:
    """Tell whether lm-eval wrote results to a folder, or to folders in it."""
    return any(folder.rglob(_PATTERN))


def read_lm_eval_folder(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read the newest scores of every task.

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
        definitions={name: definition_in_results(name, results) for name, (_, results) in newest.items()},
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
        reported = results["results"][name]
        directions, declared = results["higher_is_better"].get(name), results.get("configs", {}).get(name)
        main = find_main_metric(name, reported, declared=declared, directions=directions, samples=samples)
        chosen = need_documents(name, main, reported).samples
        keys = tuple(map(DocumentKey.of, chosen))
        clusters = read_clusters(TaskName.of(name), [sample.get("doc") for sample in chosen], cluster_field)
    except (jsonlines.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged", found=f"{type(error).__name__} {error}") from error
    return TaskScore(main.metric, main.higher_is_better, main.documents, {}, clusters=clusters), keys


def _check_whole(name: str, file: Path, samples: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> None:
    """Check that the samples are those the results were computed from: their number, and lm-eval's digest of them."""
    documents, expected = len({sample["doc_id"] for sample in samples}), results["n-samples"][name]["effective"]
    if documents != expected:
        raise InputError(f"{file} is damaged", found=f"{documents} documents", expected=f"the {expected} scored")
    digest = results.get("task_hashes", {}).get(name)
    if digest is not None and digest != lm_eval_digest(samples):
        raise InputError(f"{file} is damaged", found="other samples than those scored")
