"""The arguments `tasks` and `metric` as users write them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import Names, names_of, shown_value
from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.errors import InputError
from mwork_eval.languages.table import check_language
from mwork_eval.matrix.task_file import OwnTasks, read_task_file

Tasks = Names | OwnTasks
"""Benchmarks, families, patterns and `.yaml` files of tasks; or by name the tasks by language."""
Metrics = str | Iterable[str] | Mapping[str, str]
"""A metric for every task, `TASK=METRIC`, several of these, or metrics by task."""

_FILE_ENDINGS = (".yaml", ".yml")
_EXPECTED = "a metric such as acc_norm, or TASK=METRIC"
_NO_FILTER = "none"
"""What lm-eval calls the filter of a metric that has none."""


def tasks_of(tasks: Tasks | None) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
    """Return the names of tasks, and by those that the user defined the lm-eval tasks by language.

    Raises:
        InputError: If it is nothing of this kind, a file cannot be read, or one name stands for two things.
    """
    if tasks is None:
        return (), {}
    if isinstance(tasks, Mapping):
        own = {str(name): _by_language(name, of_name) for name, of_name in tasks.items()}
        return tuple(own), _of_the_users(own)
    names: list[str] = []
    own = {}
    for name in names_of("tasks", tasks):
        read = read_task_file(Path(name).expanduser()) if name.endswith(_FILE_ENDINGS) else {}
        if twice := sorted(read.keys() & own.keys()):
            raise InputError("two files define one task", found=" ".join(twice))
        own |= read
        names += list(read) or [name]
    return tuple(dict.fromkeys(names)), _of_the_users(own)


def _of_the_users(own: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return tasks that the user defined, none under a name of ours."""
    if ours := sorted(own.keys() & BENCHMARKS.keys()):
        raise InputError("tasks are defined under names of benchmarks", found=" ".join(ours), expected="other names")
    return own


def metrics_of(metric: Metrics | None) -> dict[str, str]:
    """Return metrics by task; `EVERY` has that of all other tasks.

    A filter of lm-eval stands behind a colon, `exact_match:flexible-extract`, and is stored as lm-eval has it. Behind
    a comma it could be a metric, except for the `none` with which tables show metrics.

    Raises:
        InputError: If it is nothing of this kind, or a task has two.
    """
    if metric is None:
        return {}
    if isinstance(metric, Mapping):
        given = [f"{task}={name}" for task, name in metric.items()]
    elif isinstance(metric, str):
        given = _split(metric)
    elif isinstance(metric, Iterable) and all(isinstance(one, str) for one in metric):
        given = [part for one in metric for part in _split(one)]
    else:
        raise InputError("unusable metric", found=shown_value(metric), expected=_EXPECTED)
    found: dict[str, str] = {}
    for one in given:
        task, equals, name = one.rpartition("=")
        task, name = task.strip(), name.strip().replace(":", ",", 1)
        if not name or (equals and not task):
            raise InputError("cannot read `metric`", found=one, expected=_EXPECTED)
        if found.setdefault(task, name) != name:
            raise InputError(
                f"two metrics of {task or 'all tasks'}", found=f"{found[task]} {name}", expected="one for each task"
            )
    return found


def _split(text: str) -> list[str]:
    parts: list[str] = []
    for part in text.split(","):
        if parts and part.strip() == _NO_FILTER:
            parts[-1] = f"{parts[-1].rstrip()}:{_NO_FILTER}"
        else:
            parts.append(part)
    return parts


def _by_language(name: Any, tasks: Any) -> dict[str, str]:
    if not isinstance(tasks, Mapping) or not all(isinstance(task, str) for task in tasks.values()):
        raise InputError(f"unusable tasks of {name}", found=shown_value(tasks), expected="by language an lm-eval task")
    return {check_language(str(language)): task for language, task in tasks.items()}
