"""Summarise plain results of lm-eval: `results_*.json` of any model, with or without samples."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mwork_eval.benchmarks.clusters import cluster_keys
from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.results.lm_eval_content import MaskRecord
from mwork_eval.results.lm_eval_folder import LmEvalFile, ReportedTask
from mwork_eval.results.model_asking import ENGINE, asking_in_words
from mwork_eval.results.summaries.entries import Contender, FolderFacts, FolderResults, Score
from mwork_eval.results.summaries.numbers import DocumentNumbers, ranked_by
from mwork_eval.results.summaries.shown_names import shown_name


def read_results_file(path: Path) -> FolderResults:
    """Read one file of results; every task gives the score of its main metric.

    Raises:
        InputError: If the file is damaged, or has no scores.
    """
    results = LmEvalFile.read(path)
    time = results.content.date or path.stat().st_mtime
    contender = _contender(results)
    named = {task: TaskName(task, *told) for task, told in results.mwork.tasks.items()}
    asking, config = results.content.asking, results.content.config
    parameters = None if config is None else config.parameters
    return FolderResults(
        [
            _score(results.task(name), named.get(name) or TaskName.of(name), contender, path.parent, time, asking)
            for name in results.content.counts
        ],
        facts=FolderFacts(
            replace(contender, mask=None, changed=False), parameters, asking.get(ENGINE), path.parent, time
        ),
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
    changed = ours.masked is not None and ours.masked.intervention is not None
    return Contender.of(model, ours.fingerprint, describe_mask(ours.masked), changed=changed)


def describe_mask(masked: MaskRecord | None) -> str | None:
    """Say in words what a run of `mwork-hf` deactivated."""
    if masked is None:
        return None
    where = "" if masked.positions == "all" else f" at {masked.positions}"
    neurons = shown_name(str(masked.neurons)).removesuffix(SUFFIX)
    what = f"{masked.total} neurons of {neurons}{where}"
    if masked.random_control is not None:
        what = f"{masked.total} random neurons (seed {masked.random_control}) instead of {neurons}{where}"
    if masked.intervention is not None:
        what = f"{masked.intervention} of {what}" if masked.total else f"{masked.intervention} by {neurons}"
    return f"{what} [{str(masked.digest)[:8]}]"


def _score(
    task: ReportedTask, named: TaskName, contender: Contender, folder: Path, time: float, asking: Mapping[str, str]
) -> Score:
    dataset = published_dataset(task.name, task.data, task.dataset_path)
    documents = task.known_by if isinstance(task.known_by, str) else digest_of(task.known_by)
    compared_by = digest_of([documents, task.definition, *([asking] if asking else [])])
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
        compared_by=compared_by,
        dataset=dataset,
        folder=folder,
        time=time,
        prompting=(*task.prompting, *asking_in_words(asking)),
        shots=task.shots,
        ranked_by=compared_by
        if task.ranked_definition is None
        else ranked_by(compared_by, (task.ranked_definition, task.shots, asking), task.logged),
        numbers=DocumentNumbers.of(task.numbers, task.factor, _clusters(task)) if task.numbers else None,
    )


def _clusters(task: ReportedTask) -> tuple[str, ...]:
    contents = [document.content for document in task.logged if document.content is not None]
    return cluster_keys(task.name, contents, task.data) if len(contents) == len(task.logged) else ()
