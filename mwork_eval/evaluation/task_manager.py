"""Find tasks: our own at once, lm-eval's thousands only if one of them is asked for, and those once in a process."""

from collections.abc import Collection, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from lm_eval.tasks import TaskManager

from mwork_eval.evaluation.free_text_tasks import add_free_text_tasks
from mwork_eval.evaluation.quiet import quiet_lm_eval
from mwork_eval.resources import tasks_folder


@quiet_lm_eval()
def task_manager(names: Collection[str], data: str | None) -> TaskManager:
    """Return a task manager that knows some tasks, if there are such; none is loaded.

    Args:
        names: Names of tasks, groups or tags, ours or lm-eval's.
        data: Where the data of our tasks comes from: a folder, `embedded`, or None for `MWORK_DATA` or the hub.
    """
    folder, metadata = str(tasks_folder()), {"data": data} if data else {}
    ours = TaskManager(include_path=folder, include_defaults=False, metadata=metadata)
    add_free_text_tasks(ours, names)
    if all(name in ours.task_index for name in names):
        return ours
    ours.task_index.update(whole_index())
    _list_by_kind(ours)
    return ours


@quiet_lm_eval()
def whole_index() -> Mapping[str, Any]:
    """Return lm-eval's index with our tasks in it: entries by name; no task is loaded.

    An entry has `kind`, `yaml_path` (None for a tag), `tags` (of a tag, its tasks) and `cfg`.
    """
    return MappingProxyType(_index_all())


@cache
def _index_all() -> dict[str, Any]:
    # Indexing takes seconds; where the data comes from changes nothing in it.
    return dict(TaskManager(include_path=str(tasks_folder())).task_index)


def _list_by_kind(manager: TaskManager) -> None:
    """Let a manager's lists of names be those of its index."""
    index = manager.task_index
    for kind, kinds in (("subtasks", ("TASK", "PY_TASK")), ("groups", ("GROUP",)), ("tags", ("TAG",))):
        setattr(manager, f"_all_{kind}", sorted(name for name, entry in index.items() if entry.kind.name in kinds))
    manager._all_tasks = sorted(index)
