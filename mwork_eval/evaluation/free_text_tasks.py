"""Tasks of free text in any language: `bpb_yue` needs no file of its own, since any text will do."""

from collections.abc import Iterable

from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import Entry, Kind
from lm_eval.tasks._yaml_loader import load_yaml

from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.resources import tasks_folder


def add_free_text_tasks(manager: TaskManager, names: Iterable[str]) -> None:
    """Let a task manager know the tasks of free text among some names; those that it knows already stay.

    What such a task is says the common part of the benchmark's files (`tasks/bpb/_bpb_yaml`); a file per language is
    there only for those that bear tags.

    Args:
        manager: The task manager, which is changed.
        names: Names of tasks; of others than free text, and of what is no tag of a language, none is added.
    """
    for name in names:
        located = task_of(name)
        if name in manager.task_index or located is None or not BENCHMARKS[located[0]].free_text:
            continue
        manager.task_index[name] = _entry(name, *located)
        manager.all_tasks.append(name)
        manager.all_subtasks.append(name)


def _entry(name: str, benchmark: str, language: str) -> Entry:
    common = load_yaml(tasks_folder() / benchmark / f"_{benchmark}_yaml", resolve_func=True)
    own = {"task": name, "dataset_kwargs": {"benchmark": benchmark, "language": language}}
    return Entry(name=name, kind=Kind.TASK, yaml_path=None, cfg=common | own)
