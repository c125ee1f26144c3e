"""Which lm-eval task is which language's, where the user says: a YAML file, or the `task` of a preset."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from mwork_eval.errors import InputError
from mwork_eval.files.yaml_values import entries_of, kind_of, line_of, read_yaml
from mwork_eval.languages.table import check_language

_EXPECTED = "NAME: {en: TASK, zh: TASK}"

OwnTasks = Mapping[str, Mapping[str, str]]
"""By a name of the user's, the lm-eval tasks or groups by language."""


def read_task_file(path: Path) -> dict[str, dict[str, str]]:
    """Read a file of names, each with the lm-eval tasks of its languages.

    Raises:
        InputError: If it cannot be read or has another shape; the message names the line.
    """
    root = read_yaml(path, _EXPECTED).root
    if root is None or not isinstance(root, yaml.MappingNode) or not root.value:
        raise InputError(f"{path} names no tasks", expected=_EXPECTED)
    return read_named_tasks(path, root)


def read_named_tasks(path: Path, node: yaml.Node) -> dict[str, dict[str, str]]:
    """Read a mapping of names, each with the lm-eval tasks of its languages.

    Args:
        path: The file it stands in, for messages.
        node: The mapping.

    Raises:
        InputError: If it has another shape or an unknown language.
    """
    found: dict[str, dict[str, str]] = {}
    for name, tasks in entries_of(node):
        of_name: dict[str, str] = {}
        if not isinstance(tasks, yaml.MappingNode):
            raise InputError(f"{line_of(path, tasks)}: {name.value}", found=kind_of(tasks), expected=_EXPECTED)
        for language, task in entries_of(tasks):
            if not isinstance(task, yaml.ScalarNode) or not task.value.strip() or task.tag.endswith(":null"):
                raise InputError(f"{line_of(path, task)}: no name of a task", expected=_EXPECTED)
            try:
                tag = check_language(str(language.value))
            except InputError as error:
                raise InputError(f"{line_of(path, language)}: {error}") from error
            if tag in of_name:
                raise InputError(f"{line_of(path, language)}: a language stands twice", found=tag)
            of_name[tag] = str(task.value).strip()
        found[str(name.value)] = of_name
    return found
