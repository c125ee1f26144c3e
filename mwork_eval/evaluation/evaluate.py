"""Evaluate one task in its present state of mask, through lm-eval's `simple_evaluate`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import lm_eval
import lm_eval.evaluator
from lm_eval.defaults import DEFAULT_OTHER_SEED
from lm_eval.tasks import TaskManager

from mwork_eval.benchmarks.clusters import cluster_keys, item_keys
from mwork_eval.benchmarks.data import check_data
from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.evaluation.answer_language import answer_language_metrics
from mwork_eval.evaluation.fewshot import enough_examples, never_show_the_answer
from mwork_eval.evaluation.known_answers import KnownAnswers
from mwork_eval.evaluation.metric_choice import check_metrics
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.quiet import quiet_lm_eval
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.evaluation.scoring import score_group, score_task
from mwork_eval.evaluation.task_group import TaskGroup, parallel_items, skip_shared
from mwork_eval.evaluation.task_manager import task_manager
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.results.task_score import TRUNCATED, TaskScore

_ALL = Sample()
_DEFAULT: Mapping[str, str] = {}
_PLAIN = Prompting()


def find_tasks(names: Sequence[str], data: str | None) -> TaskManager:
    """Return a task manager that knows some tasks; none is loaded.

    Args:
        names: Names of lm-eval tasks or groups, ours or any other.
        data: As in `prepare_tasks`.

    Raises:
        InputError: If a task is unknown, or the data of one of ours is not there.
    """
    ours = [name for name in names if task_of(name) is not None]
    check_data(ours, data)
    manager = task_manager(names, data)
    unknown = [name for name in names if name not in manager.task_index]
    if unknown:
        raise InputError(
            "unknown task",
            found=" ".join(unknown),
            expected=f"{' '.join(BENCHMARKS)}, a family of lm-eval's such as belebele, or a pattern such as "
            "belebele_{flores} whose tasks lm-eval has",
        )
    return manager


@quiet_lm_eval()
def prepare_tasks(
    names: Sequence[str],
    *,
    data: str | None,
    sample: Sample = _ALL,
    metrics: Mapping[str, str] = _DEFAULT,
    prompting: Prompting = _PLAIN,
    families: Mapping[str, str] = _DEFAULT,
) -> dict[str, PreparedTask]:
    """Load the tasks' documents and build their requests; no model is needed.

    The random number generators, which lm-eval seeds, are as before in the end.

    Args:
        names: Names of lm-eval tasks or groups, ours or any other.
        data: Folder of the upstream files, `embedded`, or None for `MWORK_DATA` or the hub.
        sample: Which documents of each; the same ones in every language of a parallel benchmark.
        metrics: By name, the main metric that was asked for.
        prompting: How they are asked.
        families: By name of a group, the family whose languages share documents; without one, groups whose parts have
            like names do.

    Raises:
        InputError: If a task is unknown or has not the metric asked for, its data cannot be had, no document is left,
            or there are fewer examples than asked for.
    """
    with kept_random_states():
        manager = find_tasks(names, data)
        check_metrics(metrics, manager.task_index)
        prepared = _Preparation(manager, data, prompting, families).prepare(names, sample)
    return {name: replace(task, metric=metrics.get(name)) for name, task in prepared.items()}


@dataclass(frozen=True)
class _Preparation:
    """How tasks are loaded, and their requests built.

    Attributes:
        manager: Where they come from.
        data: Where their data come from.
        prompting: How they are asked.
        families: By name of a group, its family.
        shots: By name of a loaded task, the number of examples of its file.
    """

    manager: TaskManager
    data: str | None
    prompting: Prompting
    families: Mapping[str, str]
    shots: dict[str, int | None] = field(default_factory=dict)

    def prepare(self, names: Sequence[str], sample: Sample) -> dict[str, PreparedTask]:
        tasks = {name: self._load(name) for name in names}
        chosen = _choose(tasks, self.data, sample, self.families)
        return {
            name: (self._group if isinstance(task, TaskGroup) else self._one)(name, task, chosen[name])
            for name, task in tasks.items()
        }

    def _load(self, name: str) -> Any:
        """Return a task, or a group, that is asked as said."""
        with _loading(name):
            leaves = self.manager.load([name])["tasks"]
            for leaf, task in leaves.items():
                self.shots[leaf] = task.get_config("num_fewshot")
                self.prompting.configure(task)
                task.set_fewshot_seed(seed=DEFAULT_OTHER_SEED)
            return leaves[name] if name in leaves else TaskGroup(name, leaves)

    def _one(self, name: str, task: Any, documents: Sequence[int] | None) -> PreparedTask:
        building = self.prompting.building()
        with _loading(name):
            never_show_the_answer(task)  # also where the plug-in is turned off
            with enough_examples(task):
                task.build_all_requests(samples=documents, rank=0, world_size=1, **building)
        clusters = _clusters(name, task, documents, self.data)
        # With the documents, because they hold the right answers, which the requests do not show.
        requests = [(i.request_type, i.args, i.doc) for i in task.instances]
        _keep_requests(task)
        items = item_keys(name, task.eval_docs, self.data)
        return PreparedTask(
            name=name,
            task=task,
            manager=self.manager,
            documents=documents,
            digest=digest_of([task.VERSION, requests, list(clusters.values())]),
            requests=len(task.instances),
            clusters=clusters,
            items=[items[index] for index in clusters],
            prompting=self.prompting.digest_for(task, self.shots[name]),
            own_shots=self.shots[name],
        )

    def _group(self, name: str, group: TaskGroup, documents: Sequence[int] | None) -> PreparedTask:
        parts = [self._one(leaf, group.leaves[leaf], own) for leaf, own in group.split(documents).items()]
        asked = [part.prompting for part in parts]
        return PreparedTask(
            name=name,
            task=group,
            manager=self.manager,
            documents=documents,
            digest=digest_of([[part.name, part.digest] for part in parts]),
            requests=sum(part.requests for part in parts),
            clusters={group.offsets[part.name] + index: key for part in parts for index, key in part.clusters.items()},
            items=[item for part in parts for item in part.items],
            parts=tuple(parts),
            prompting=digest_of(asked) if any(asked) else None,
        )


@contextmanager
def _loading(name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a task file, a data set's script or the hub may raise
        reason = (str(error).splitlines() or [""])[0]
        raise NotReachedError(f"the task {name} cannot be loaded", found=f"{type(error).__name__}: {reason}") from error


def _choose(
    tasks: Mapping[str, Any], data: str | None, sample: Sample, families: Mapping[str, str]
) -> dict[str, list[int] | None]:
    """Choose documents, benchmark by benchmark; groups of one family are one, if their parts have like names."""
    benchmarks: dict[Any, list[str]] = {}
    for name, task in tasks.items():
        located = task_of(name)
        alike = (families.get(name), *task.suffixes.values()) if isinstance(task, TaskGroup) else name
        benchmarks.setdefault(located[0] if located else alike, []).append(name)
    chosen: dict[str, list[int] | None] = {}
    for of_benchmark in benchmarks.values():
        documents = {name: tasks[name].eval_docs for name in of_benchmark}
        items: Mapping[str, Sequence[str]] = {name: _items(name, tasks[name], data) for name in of_benchmark}
        if isinstance(tasks[of_benchmark[0]], TaskGroup):
            shared = parallel_items({name: tasks[name] for name in of_benchmark})
            chosen |= replace(sample, skip=skip_shared(sample.skip or {}, items, shared)).choose(documents, shared)
        else:
            chosen |= sample.choose(documents, items)
    return {name: chosen[name] for name in tasks}


def _items(name: str, task: Any, data: str | None) -> list[str]:
    leaves = task.leaves if isinstance(task, TaskGroup) else {name: task}
    return [item for leaf, part in leaves.items() for item in item_keys(leaf, part.eval_docs, data)]


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
    tasks = prepared.parts or (prepared,)
    with _quiet(model):
        results = lm_eval.simple_evaluate(
            model=KnownAnswers(model, known) if known else model,
            tasks=[one.task for one in tasks],
            task_manager=prepared.manager,
            samples={one.name: list(one.documents) for one in tasks if one.documents is not None} or None,
            bootstrap_iters=0,
            log_samples=True,
        )
    if results is None:
        return None
    scored = score_group(prepared, results) if prepared.parts else score_task(prepared, results)
    main, scores, all_samples, about = scored
    scores[TRUNCATED] = float(sum(len(model.truncated.get(one.name, ())) for one in tasks))
    metric, documents, samples = main.metric.partition(",")[0], main.documents, main.samples
    if not all(math.isfinite(value) for document in documents for value in document):
        raise InputError(
            f"the model gives no numbers on {prepared.name}",
            found=f"nan or infinity under {metric}, in {model.dtype}",
            hint="try `dtype=float32` or bfloat16",
        )
    if (located := task_of(prepared.name)) and BENCHMARKS[located[0]].generated:
        scores |= answer_language_metrics([str(sample["resps"][0][0]) for sample in samples], located[1])
    hashes = [[sample[f"{part}_hash"] for part in ("doc", "prompt", "target")] for sample in samples]
    clusters = tuple(prepared.clusters[int(sample["doc_id"])] for sample in samples)
    score = TaskScore(main.metric, main.higher_is_better, documents, scores, digest_of(hashes), clusters)
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
