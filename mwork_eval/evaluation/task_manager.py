"""Find tasks: our own at once, lm-eval's thousands only if one of them is asked for, and those once in a process."""

from collections.abc import Collection, Mapping
from functools import cache
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
    everything = _whole_manager(data)
    add_free_text_tasks(everything, names)
    return everything


@quiet_lm_eval()
def whole_index() -> Mapping[str, Any]:
    """Return lm-eval's index with our tasks in it: entries by name; no task is loaded.

    An entry has `kind`, `yaml_path` (None for a tag), `tags` (of a tag, its tasks) and `cfg`.
    """
    index: Mapping[str, Any] = _whole_manager(None).task_index
    return index


@cache
def _whole_manager(data: str | None) -> TaskManager:
    # Indexing takes seconds; where the data comes from changes nothing in it.
    known = None if data is None else _whole_manager(None).task_index
    manager = TaskManager(
        include_path=str(tasks_folder()), include_defaults=known is None, metadata={"data": data} if data else {}
    )
    if known is not None:
        manager._index = dict(known)
        for kind, names in (("subtasks", ("TASK", "PY_TASK")), ("groups", ("GROUP",)), ("tags", ("TAG",))):
            setattr(manager, f"_all_{kind}", sorted(n for n, e in known.items() if e.kind.name in names))
        manager._all_tasks = sorted(known)
    return manager
