"""Evaluate one task in its present state of mask, through lm-eval's `simple_evaluate`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import lm_eval
import lm_eval.evaluator
from lm_eval.defaults import DEFAULT_OTHER_SEED
from lm_eval.tasks import TaskManager

from mwork_eval.benchmarks.clusters import cluster_keys, item_keys
from mwork_eval.benchmarks.data import check_data
from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.evaluation.answer_language import answer_language_metrics
from mwork_eval.evaluation.fewshot import enough_examples, never_show_the_answer
from mwork_eval.evaluation.known_answers import KnownAnswers
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.quiet import quiet_lm_eval
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.evaluation.task_manager import task_manager
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.results.main_metric import find_main_metric, need_documents, numbers_of
from mwork_eval.results.task_score import TRUNCATED, TaskScore

_ALL = Sample()
_PLAIN = Prompting()


@dataclass(frozen=True)
class PreparedTask:
    """A task whose documents are loaded and whose requests are known.

    Attributes:
        name: Name of the lm-eval task.
        task: lm-eval's task object.
        manager: The task manager it comes from.
        documents: Indices of the documents used, or None for all.
        digest: Digest of documents, prompts, generation arguments and clusters.
        requests: Number of requests.
        clusters: By index, the cluster of each of these documents, as `cluster_keys` gives it.
        items: What each of them is, as `item_keys` gives it.
        prompting: Digest of how it is asked beyond what its file says; None if nothing is.
    """

    name: str
    task: Any
    manager: TaskManager
    documents: Sequence[int] | None
    digest: str
    requests: int
    clusters: Mapping[int, str] = field(default_factory=dict)
    items: Sequence[str] = ()
    prompting: str | None = None


def find_tasks(names: Sequence[str], data: str | None) -> TaskManager:
    """Return a task manager that knows some tasks; none is loaded.

    Args:
        names: Names of lm-eval tasks, ours or any other.
        data: As in `prepare_tasks`.

    Raises:
        InputError: If a task is unknown, or the data of one of ours is not there.
    """
    ours = [name for name in names if task_of(name) is not None]
    check_data(ours, data)
    manager = task_manager(names, data)
    unknown = [name for name in names if name not in manager.all_subtasks]
    if unknown:
        raise InputError(
            "unknown task",
            found=" ".join(unknown),
            expected=f"{' '.join(BENCHMARKS)}, or a pattern such as belebele_{{l}} whose tasks lm-eval has",
        )
    return manager


@quiet_lm_eval()
def prepare_tasks(
    names: Sequence[str], *, data: str | None, sample: Sample = _ALL, prompting: Prompting = _PLAIN
) -> dict[str, PreparedTask]:
    """Load the tasks' documents and build their requests; no model is needed.

    The random number generators, which lm-eval seeds, are as before in the end.

    Args:
        names: Names of lm-eval tasks, ours or any other.
        data: Folder of the upstream files, `embedded`, or None for `MWORK_DATA` or the hub.
        sample: Which documents of each; the same ones in every language of a parallel benchmark.
        prompting: How they are asked.

    Raises:
        InputError: If a task is unknown, its data cannot be had, no document is left, or there are fewer examples than
            asked for.
    """
    with kept_random_states():
        return _prepare(names, data, sample, prompting)


def _prepare(names: Sequence[str], data: str | None, sample: Sample, prompting: Prompting) -> dict[str, PreparedTask]:
    manager, building = find_tasks(names, data), prompting.building()
    loaded = {name: _load(name, manager, prompting) for name in names}
    tasks = {name: task for name, (task, _) in loaded.items()}
    chosen = _choose(tasks, data, sample)
    prepared = {}
    for name, task in tasks.items():
        with _loading(name):
            never_show_the_answer(task)  # also where the plug-in is turned off
            with enough_examples(task):
                task.build_all_requests(samples=chosen[name], rank=0, world_size=1, **building)
        clusters = _clusters(name, task, chosen[name], data)
        # With the documents, because they hold the right answers, which the requests do not show.
        requests = [(i.request_type, i.args, i.doc) for i in task.instances]
        digest = digest_of([task.VERSION, requests, list(clusters.values())])
        _keep_requests(task)
        items = item_keys(name, task.eval_docs, data)
        prepared[name] = PreparedTask(
            name,
            task,
            manager,
            chosen[name],
            digest,
            len(task.instances),
            clusters,
            [items[i] for i in clusters],
            prompting.digest_for(task, loaded[name][1]),
        )
    return prepared


@contextmanager
def _loading(name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a task file, a data set's script or the hub may raise
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(f"the task {name} cannot be loaded", found=f"{type(error).__name__}: {reason}") from error


def _load(name: str, manager: TaskManager, prompting: Prompting) -> tuple[Any, int | None]:
    """Return a task that is asked as said, and the number of examples of its file."""
    with _loading(name):
        task = manager.load([name])["tasks"][name]
        own = task.get_config("num_fewshot")
        prompting.configure(task)
        task.set_fewshot_seed(seed=DEFAULT_OTHER_SEED)
        return task, own


def _choose(tasks: Mapping[str, Any], data: str | None, sample: Sample) -> dict[str, list[int] | None]:
    """Choose documents, benchmark by benchmark."""
    groups: dict[str, list[str]] = {}
    for name in tasks:
        located = task_of(name)
        groups.setdefault(located[0] if located else name, []).append(name)
    chosen: dict[str, list[int] | None] = {}
    for of_benchmark in groups.values():
        documents = {name: tasks[name].eval_docs for name in of_benchmark}
        chosen |= sample.choose(documents, {name: item_keys(name, own, data) for name, own in documents.items()})
    return {name: chosen[name] for name in tasks}


def _clusters(name: str, task: Any, documents: Sequence[int] | None, data: str | None) -> dict[int, str]:
    indices = range(len(task.eval_docs)) if documents is None else documents
    return dict(zip(indices, cluster_keys(name, [task.eval_docs[index] for index in indices], data), strict=True))


def _keep_requests(task: Any) -> None:
    """Let lm-eval build a task's requests once; it would do so again for every evaluation.

    A process of several gets its share of them: built anew, its examples would be drawn otherwise.
    """
    built = {(0, 1): task.instances}

    def build_once(*, rank: int = 0, world_size: int = 1, **options: Any) -> None:
        if (rank, world_size) not in built:
            built[rank, world_size] = [one for one in built[0, 1] if one.doc_id % world_size == rank]
        for instance in built[rank, world_size]:
            instance.resps, instance.filtered_resps = [], {}
        task._instances = built[rank, world_size]

    task.build_all_requests = build_once


def evaluate_task(
    model: MaskableLM, prepared: PreparedTask, known: Mapping[str, Any] | None = None
) -> tuple[TaskScore, list[dict[str, Any]], dict[str, Any]] | None:
    """Score the model, masked as it is now, on a task.

    Args:
        model: The model.
        prepared: The task.
        known: Answers the model need not give again, by `request_key`; they must be of this model and mask.

    Returns:
        The scores, lm-eval's samples, and what lm-eval's results say of the task: `config`, `version`, `n_shot`; None
        in all processes but the first of several.
    """
    model.forget_truncated()
    with _quiet(model):
        results = lm_eval.simple_evaluate(
            model=KnownAnswers(model, known) if known else model,
            tasks=[prepared.task],
            task_manager=prepared.manager,
            samples=None if prepared.documents is None else {prepared.name: list(prepared.documents)},
            bootstrap_iters=0,
            log_samples=True,
        )
    if results is None:
        return None
    located, name = task_of(prepared.name), prepared.name
    all_samples, reported = results["samples"][name], results["results"][name]
    scores = numbers_of(reported)
    scores[TRUNCATED] = float(len(model.truncated.get(name, ())))
    directions, declared = results["higher_is_better"].get(name), results["configs"].get(name)
    main = find_main_metric(name, reported, declared=declared, directions=directions, samples=all_samples)
    samples = need_documents(name, main, reported).samples
    metric, documents = main.metric.partition(",")[0], main.documents
    if not all(math.isfinite(value) for document in documents for value in document):
        raise InputError(
            f"the model gives no numbers on {prepared.name}",
            found=f"nan or infinity under {metric}, in {model.dtype}",
            hint="try `dtype=float32` or bfloat16",
        )
    if located and BENCHMARKS[located[0]].generated:
        scores |= answer_language_metrics([str(sample["resps"][0][0]) for sample in samples], located[1])
    hashes = [[sample[f"{part}_hash"] for part in ("doc", "prompt", "target")] for sample in samples]
    clusters = tuple(prepared.clusters[int(sample["doc_id"])] for sample in samples)
    score = TaskScore(main.metric, main.higher_is_better, documents, scores, digest_of(hashes), clusters)
    parts = {"config": "configs", "version": "versions", "n_shot": "n-shot"}
    about = {name: results[part].get(prepared.name) for name, part in parts.items()}
    return score, all_samples, about


@contextmanager
def _quiet(model: MaskableLM) -> Iterator[None]:
    """Leave the terminal to the caller's progress, and run no git and no pip for every cell (half a second each)."""
    evaluator: Any = lm_eval.evaluator
    ask_git, ask_machine = evaluator.get_git_commit_hash, evaluator.add_env_info
    evaluator.get_git_commit_hash, evaluator.add_env_info = lambda: None, lambda storage: None
    model.show_progress = False
    try:
        yield
    finally:
        evaluator.get_git_commit_hash, evaluator.add_env_info = ask_git, ask_machine
        model.show_progress = True
