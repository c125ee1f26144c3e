"""Read plain results of lm-eval for a leaderboard: `results_*.json` of any model, with or without samples."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonlines

from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.benchmarks.rows import task_of
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import TaskName
from mwork_eval.leaderboard.entries import Contender, FolderResults, Score
from mwork_eval.results.definition import definition_in_results
from mwork_eval.results.main_metric import factor_and_unit, find_main_metric

_PROMPT = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "dataset_path", "dataset_name", "test_split")


def read_results_file(path: Path) -> FolderResults:
    """Read one file of results; every task gives the score of its main metric.

    Raises:
        InputError: If the file is damaged.
    """
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        contender = _contender(results)
        time = float(results.get("date") or path.stat().st_mtime)
        return FolderResults([_score(name, results, contender, path, time) for name in results["n-samples"]])
    except (jsonlines.Error, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error


def _contender(results: Mapping[str, Any]) -> Contender:
    config = results.get("config") or {}
    ours = config.get("mwork") or {}
    model = ours.get("model") or results.get("model_name") or results.get("model_source") or config["model"]
    if delta := ours.get("delta"):
        # The fingerprint is that of the weights before; with a delta in them they are another model.
        model = f"{model} with delta {str(delta['digest'])[:8]}"
    return Contender.of(model, ours.get("fingerprint"), describe_mask(ours.get("masked")))


def describe_mask(masked: Mapping[str, Any] | None) -> str | None:
    """Say in words what a run of `mwork-hf` deactivated, as lm-eval's `config.mwork.masked` records it."""
    if not masked:
        return None
    where = "" if masked.get("positions", "all") == "all" else f" at {masked['positions']}"
    seed = masked.get("random_control")
    what = f"{masked.get('total')} neurons of {masked.get('neurons')}{where}"
    if seed is not None:
        what = f"{masked.get('total')} random neurons (seed {seed}) instead of {masked.get('neurons')}{where}"
    return f"{what} [{str(masked.get('digest'))[:8]}]"


def _score(name: str, results: Mapping[str, Any], contender: Contender, path: Path, time: float) -> Score:
    reported = results["results"][name]
    named = TaskName.of(name)
    main = find_main_metric(
        name,
        reported,
        declared=results.get("configs", {}).get(name),
        directions=results.get("higher_is_better", {}).get(name),
        samples=_logged_samples(name, path),
    )
    short, _, filter_name = main.metric.partition(",")
    value = float(reported[main.metric])
    factor, unit = factor_and_unit(short, [n / d for n, d in main.documents if d] or [value])
    error = reported.get(f"{short}_stderr,{filter_name}")
    documents = int(results["n-samples"][name]["effective"])
    return Score(
        contender=contender,
        task=name,
        benchmark=named.task,
        language=named.language,
        metric=main.metric,
        higher_is_better=main.higher_is_better,
        unit=unit,
        value=factor * value,
        error=factor * float(error) if isinstance(error, int | float) else None,
        documents=documents,
        compared_by=digest_of(
            [
                results.get("task_hashes", {}).get(name) or _digest_of_prompt(name, results, documents),
                definition_in_results(name, results),
            ]
        ),
        dataset=published_dataset(name, *_source(results, name)),
        folder=path.parent,
        time=time,
    )


def _logged_samples(name: str, path: Path) -> list[dict[str, Any]] | None:
    """Return the samples beside a file of results if they are needed and there; our tasks need none."""
    file = path.parent / f"samples_{name}{path.stem.removeprefix('results')}.jsonl"
    if task_of(name) is not None or not file.is_file():
        return None
    with jsonlines.open(file) as lines:
        return list(lines.iter(type=dict))


def _source(results: Mapping[str, Any], name: str) -> tuple[str | None, str | None]:
    """Return where our tasks' data came from, and the data set of any other task."""
    config = results.get("configs", {}).get(name, {})
    return (config.get("metadata") or {}).get("data"), config.get("dataset_path")


def _digest_of_prompt(name: str, results: Mapping[str, Any], documents: int) -> str:
    """Return what stands for documents that were not logged: version, number, shots and templates of the task."""
    config = results.get("configs", {}).get(name, {})
    version, shots = results.get("versions", {}).get(name), results.get("n-shot", {}).get(name)
    return digest_of([name, version, shots, documents, [str(config.get(part)) for part in _PROMPT]])
