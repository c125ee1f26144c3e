"""Find tasks: our own at once, lm-eval's thousands only if one of them is asked for."""

from collections.abc import Collection

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
    # Indexing lm-eval's own takes seconds.
    everything = TaskManager(include_path=folder, metadata=metadata)
    add_free_text_tasks(everything, names)
    return everything
