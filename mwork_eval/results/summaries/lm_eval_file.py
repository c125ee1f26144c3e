"""Summarise plain results of lm-eval: `results_*.json` of any model, with or without samples."""

from collections.abc import Mapping
from pathlib import Path

from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.results.lm_eval_content import MaskRecord
from mwork_eval.results.lm_eval_folder import LmEvalFile, ReportedTask
from mwork_eval.results.model_asking import asking_in_words
from mwork_eval.results.summaries.entries import Contender, FolderResults, Score


def read_results_file(path: Path) -> FolderResults:
    """Read one file of results; every task gives the score of its main metric.

    Raises:
        InputError: If the file is damaged, or has no scores.
    """
    results = LmEvalFile.read(path)
    time = results.content.date or path.stat().st_mtime
    contender = _contender(results)
    named = {task: TaskName(task, *told) for task, told in results.mwork.tasks.items()}
    asking = results.content.asking
    return FolderResults(
        [
            _score(results.task(name), named.get(name) or TaskName.of(name), contender, path.parent, time, asking)
            for name in results.content.counts
        ]
    )


def _contender(results: LmEvalFile) -> Contender:
    content, ours = results.content, results.mwork
    model = ours.model or content.model_name or content.model_source
    if not model and (content.config is None or "model" not in content.config.model_fields_set):
        raise InputError(f"{results.path} is damaged", found="no name of the model")
    model = model or (content.config.model if content.config else None)
    if ours.delta is not None:
        # The fingerprint is that of the weights before; with a delta in them they are another model.
        model = f"{model} with delta {ours.delta.digest[:8]}"
    return Contender.of(model, ours.fingerprint, describe_mask(ours.masked))


def describe_mask(masked: MaskRecord | None) -> str | None:
    """Say in words what a run of `mwork-hf` deactivated."""
    if masked is None:
        return None
    where = "" if masked.positions == "all" else f" at {masked.positions}"
    what = f"{masked.total} neurons of {masked.neurons}{where}"
    if masked.random_control is not None:
        what = f"{masked.total} random neurons (seed {masked.random_control}) instead of {masked.neurons}{where}"
    if masked.intervention is not None:
        what = f"{masked.intervention} of {what}" if masked.total else f"{masked.intervention} by {masked.neurons}"
    return f"{what} [{str(masked.digest)[:8]}]"


def _score(
    task: ReportedTask, named: TaskName, contender: Contender, folder: Path, time: float, asking: Mapping[str, str]
) -> Score:
    dataset = published_dataset(task.name, task.data, task.dataset_path)
    documents = task.known_by if isinstance(task.known_by, str) else digest_of(task.known_by)
    return Score(
        contender=contender,
        task=task.name,
        benchmark=named.task,
        language=named.language,
        metric=task.metric,
        higher_is_better=task.higher_is_better,
        unit=task.unit,
        value=task.value,
        error=task.error,
        documents=task.documents,
        compared_by=digest_of([documents, task.definition, *([asking] if asking else [])]),
        dataset=dataset,
        folder=folder,
        time=time,
        prompting=(*task.prompting, *asking_in_words(asking)),
        shots=task.shots,
    )
