"""Read plain results of lm-eval for a leaderboard: `results_*.json` of any model; samples are not needed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import TaskName
from mwork_eval.harness.data import published_dataset, task_of
from mwork_eval.harness.task_score import MAIN_METRICS
from mwork_eval.leaderboard.entries import Contender, FolderResults, Score

_SHARES = ("acc", "acc_norm", "exact_match", "em", "f1", "mc1", "mc2", "rouge1", "rouge2", "rougeL", "rougeLsum")
"""Metrics between 0 and 1, which are shown in points."""
_PROMPT = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "dataset_path", "dataset_name", "test_split")


def read_results_file(path: Path) -> FolderResults:
    """Read one file of results; every task gives the score of its main metric, else of its first one.

    Raises:
        InputError: If the file is damaged.
    """
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        contender = _contender(results)
        time = float(results.get("date") or path.stat().st_mtime)
        return FolderResults([_score(name, results, contender, path, time) for name in results["n-samples"]])
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error


def _contender(results: Mapping[str, Any]) -> Contender:
    config = results.get("config") or {}
    ours = config.get("mwork") or {}
    model = ours.get("model") or results.get("model_name") or results.get("model_source") or config["model"]
    if delta := ours.get("delta"):
        # The fingerprint is that of the weights before; with a delta in them they are another model.
        model = f"{model} with delta {str(delta['digest'])[:8]}"
    if ours.get("double_bos"):
        # Its scores of whole texts are of another definition.
        model = f"{model} with double_bos"
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
    numbers = {
        key: float(value)
        for key, value in reported.items()
        if "," in key and "_stderr," not in key and isinstance(value, int | float)
    }
    located, named = task_of(name), TaskName.of(name)
    main = MAIN_METRICS[located[0]] if located else next(iter(numbers))
    short, _, filter_name = main.partition(",")
    factor = 100.0 if short in _SHARES else 1.0
    error = reported.get(f"{short}_stderr,{filter_name}")
    documents = int(results["n-samples"][name]["effective"])
    return Score(
        contender=contender,
        task=name,
        benchmark=named.task,
        language=named.language,
        metric=main,
        higher_is_better=bool(results.get("higher_is_better", {}).get(name, {}).get(short, True)),
        unit="points" if factor != 1.0 else "bits per byte" if short == "bits_per_byte" else "units",
        value=factor * numbers[main],
        error=factor * float(error) if isinstance(error, int | float) else None,
        documents=documents,
        compared_by=results.get("task_hashes", {}).get(name) or _digest_of_prompt(name, results, documents),
        dataset=published_dataset(name, *_source(results, name)),
        folder=path.parent,
        time=time,
    )


def _source(results: Mapping[str, Any], name: str) -> tuple[str | None, str | None]:
    """Return where our tasks' data came from, and the data set of any other task."""
    config = results.get("configs", {}).get(name, {})
    return (config.get("metadata") or {}).get("data"), config.get("dataset_path")


def _digest_of_prompt(name: str, results: Mapping[str, Any], documents: int) -> str:
    """Return what stands for documents that were not logged: version, number, shots and templates of the task."""
    config = results.get("configs", {}).get(name, {})
    version, shots = results.get("versions", {}).get(name), results.get("n-shot", {}).get(name)
    return digest_of([name, version, shots, documents, [str(config.get(part)) for part in _PROMPT]])
