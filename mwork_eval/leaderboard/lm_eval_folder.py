"""Read plain results of lm-eval for a leaderboard: `results_*.json` of any model, with or without samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.benchmarks.rows import task_of
from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.leaderboard.entries import Contender, FolderResults, Score
from mwork_eval.results.lm_eval_folder import LmEvalContent, LmEvalFile
from mwork_eval.results.main_metric import factor_and_unit

_PROMPT = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "dataset_path", "dataset_name", "test_split")


def read_results_file(path: Path) -> FolderResults:
    """Read one file of results; every task gives the score of its main metric.

    Raises:
        InputError: If the file is damaged.
    """
    results = LmEvalFile.read(path)
    time = results.content.date or path.stat().st_mtime
    try:
        contender = _contender(results)
        return FolderResults([_score(name, results, contender, time) for name in results.content.counts])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error


def _contender(results: LmEvalFile) -> Contender:
    content, ours = results.content, results.mwork
    model = ours.model or content.model_name or content.model_source
    if not model and (content.config is None or "model" not in content.config.model_fields_set):
        raise InputError(f"{results.path} is damaged", found="no name of the model")
    model = model or (content.config and content.config.model)
    if ours.delta is not None:
        # The fingerprint is that of the weights before; with a delta in them they are another model.
        model = f"{model} with delta {str(ours.delta.digest)[:8]}"
    return Contender.of(model, ours.fingerprint, describe_mask(ours.masked))


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


def _score(name: str, results: LmEvalFile, contender: Contender, time: float) -> Score:
    content, named = results.content, TaskName.of(name)
    reported = content.results[name]
    # Our tasks need no samples.
    with_samples = task_of(name) is None and results.samples_path(name).is_file()
    main = results.main_metric(name, with_samples=with_samples)
    short, _, filter_name = main.metric.partition(",")
    value = float(reported[main.metric])
    factor, unit = factor_and_unit(short, [n / d for n, d in main.documents if d] or [value])
    error = reported.get(f"{short}_stderr,{filter_name}")
    compared_by = content.task_hashes.get(name) or _digest_of_prompt(name, content)
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
        documents=content.counts[name].effective,
        compared_by=digest_of([compared_by, results.definition(name)]),
        dataset=published_dataset(name, *_source(content, name)),
        folder=results.path.parent,
        time=time,
    )


def _source(content: LmEvalContent, name: str) -> tuple[str | None, str | None]:
    """Return where our tasks' data came from, and the data set of any other task."""
    config = content.configs.get(name) or {}
    return (config.get("metadata") or {}).get("data"), config.get("dataset_path")


def _digest_of_prompt(name: str, content: LmEvalContent) -> str:
    """Return what stands for documents that were not logged: version, number, shots and templates of the task."""
    config, documents = content.configs.get(name) or {}, content.counts[name].effective
    version, shots = content.versions.get(name), content.shots.get(name)
    return digest_of([name, version, shots, documents, [str(config.get(part)) for part in _PROMPT]])
