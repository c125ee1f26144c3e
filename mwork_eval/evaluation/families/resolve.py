"""Find the tasks of a family for the languages asked for, from names, tags, groups and folders of lm-eval's index."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.benchmarks.task_family import CODE, FIELDS, TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.codes import Spoken, fields_of, is_said_by_name, spoken_of
from mwork_eval.evaluation.families.members import (
    FamilyPattern,
    families_of,
    family_of,
    pattern_with_fields,
)

_EXACT = ("{l}", "{flores}")
"""Fields that tell scripts apart."""
_MOST = 12
"""Candidates in a message."""

Index = Mapping[str, Any]
"""lm-eval's index: entries with `kind`, `yaml_path`, `tags` and `cfg` by name."""


def is_pattern(name: str) -> bool:
    """Tell whether a name has a field for the language."""
    return any(field in name for field in (*FIELDS, CODE))


def fill_pattern(pattern: str, languages: Iterable[str]) -> dict[str, str]:
    """Return the tasks that a pattern means, by language; it needs no index, so it is not told which there are.

    Args:
        pattern: With some of `FIELDS`.
        languages: Tags.

    Raises:
        InputError: If it gives two languages one task, or says less of a script or region than was asked for.
    """
    tasks = {language: pattern_with_fields(pattern, fields_of(language)) for language in languages}
    if len(set(tasks.values())) < len(tasks):
        raise InputError(
            f"{pattern} gives several languages one task",
            found=", ".join(f"{language} {task}" for language, task in tasks.items()),
            expected="a field that tells them apart, such as {l} or {flores}",
        )
    if not any(field in pattern for field in _EXACT) and (
        unsaid := [language for language in languages if not is_said_by_name(language)]
    ):
        raise InputError(
            f"{pattern} does not say all of {' '.join(unsaid)}",
            found=" ".join(tasks[language] for language in unsaid),
            expected="a field that tells scripts or regions apart, such as {l} or {flores}",
        )
    return tasks


def resolve_family(name: str, languages: Sequence[str], index: Index) -> TaskFamily:
    """Return the tasks of a family for some languages.

    Args:
        name: What the user wrote: the beginning of the tasks' names (`xnli`), a pattern with `{code}`, a tag, a group,
            or the folder of lm-eval's tasks (`paws-x`).
        languages: Tags of the languages.
        index: lm-eval's index.

    Raises:
        InputError: If there is no such family, it is several, or two tasks are equally good for a language.
    """
    spoken = {tag: _spoken(tag) for tag in languages}
    family = find_family_of_tasks(name, [*spoken.values()], index)
    tasks: dict[str, str] = {}
    for tag, asked in spoken.items():
        found = family.find(asked)
        # One that is coded as it was asked for comes before others of the same language.
        found = [one for one in found if one.code == tag] or found
        if len(found) > 1:
            raise InputError(
                f"{name} has several tasks for {tag}",
                found=" ".join(one.name for one in found),
                expected="one; for `ablate` and `tune_layers` a .yaml file can say which: "
                f"{name}: {{{tag}: {found[0].name}, ...}}",
            )
        if found:
            tasks[tag] = found[0].name
    return TaskFamily(
        name,
        tuple(tag for tag in languages if tag in tasks),
        tuple(tag for tag in languages if tag not in tasks),
        tasks=tasks,
    )


def tags_of(name: str, languages: Sequence[str], index: Index) -> list[str]:
    """Return the tags of all languages that a family has, as `resolve_family` finds it.

    Raises:
        InputError: If there is no such family, or several.
    """
    return find_family_of_tasks(name, [_spoken(tag) for tag in languages], index).tags


def find_family_of_tasks(name: str, languages: Sequence[Spoken], index: Index) -> FamilyPattern:
    """Return the one family that a name means.

    Raises:
        InputError: If it means none, or several of which each has some of the languages.
    """
    found = named_families(name, languages, index)
    if not found:
        raise _unknown(name)
    if len(found) > 1:
        patterns = [one.pattern for one in found]
        more = f" and {len(patterns) - _MOST} more" if len(patterns) > _MOST else ""
        raise InputError(f"{name} is several families", found=" ".join(patterns[:_MOST]) + more, expected="one of them")
    return found[0]


def named_families(name: str, languages: Sequence[Spoken], index: Index) -> list[FamilyPattern]:
    """Return the families that a name may mean, with their tasks of all languages.

    It means what it describes, else what it contains as a tag, group or folder, else what begins with it. A family
    counts if it has two of the languages; one that is described, whichever it has.
    """
    tasks = [task for task, entry in index.items() if entry.yaml_path is not None]
    if CODE in name:
        exact = family_of(name, tasks)
        return [exact] if exact.members else []
    for separator in "_-":
        exact = family_of(f"{name}{separator}{CODE}", tasks)
        if len({member.spoken for member in exact.members}) > 1:
            return [exact]
    begun = [task for task in tasks if task.startswith((f"{name}_", f"{name}-"))]
    for members in (_children(name, index), _in_folder(name, index), begun):
        if found := whole_families(families_of(members, languages), index):
            # Also of languages that were not asked for, so that messages can name them.
            return [family_of(one.pattern, members) for one in found]
    return []


def whole_families(families: Sequence[FamilyPattern], index: Index) -> list[FamilyPattern]:
    """Leave out the families whose tasks are parts of another one's groups, such as one subject of many."""
    inner: set[str] = set()
    for family in families:
        for member in family.members:
            inner.update(_within(member.name, index))
    return [family for family in families if not all(member.name in inner for member in family.members)]


def leaves_of(name: str, index: Index) -> list[str]:
    """Return the tasks that a task, a group or a tag consists of, each once."""
    children = _children(name, index)
    return list(dict.fromkeys(leaf for child in children for leaf in leaves_of(child, index))) if children else [name]


def _within(name: str, index: Index) -> set[str]:
    """Return all tasks and groups inside a group."""
    children = _children(name, index)
    return {*children, *(one for child in children for one in _within(child, index))}


def _unknown(name: str) -> InputError:
    return InputError(
        "unknown task",
        found=name,
        expected=f"{' '.join(BENCHMARKS)}, a family of lm-eval's such as belebele with two of the languages, or a "
        "pattern such as belebele_{flores}",
        hint="`tasks()` lists families by language",
    )


def _spoken(tag: str) -> Spoken:
    if (spoken := spoken_of(tag)) is None:
        raise InputError("unknown language", found=tag, expected="a BCP 47 tag such as ja or pt-BR")
    return spoken


def _children(name: str, index: Index) -> list[str]:
    """Return the tasks and groups that a tag or a group consists of; those of a tag inside a group as well."""
    entry = index.get(name)
    if entry is None:
        return []
    if entry.yaml_path is None:
        return sorted(entry.tags)
    found: list[str] = []
    for child in (entry.cfg or {}).get("task") or [] if "group" in (entry.cfg or {}) else ():
        names = [child] if isinstance(child, str) else [child.get("task"), child.get("group")]
        for one in names:
            if isinstance(one, str) and one in index:
                found += [one] if index[one].yaml_path is not None else sorted(index[one].tags)
    return found


def _in_folder(name: str, index: Index) -> list[str]:
    wanted = name.replace("-", "_")
    return [
        task
        for task, entry in index.items()
        if entry.yaml_path is not None
        and wanted in (part.replace("-", "_") for part in Path(entry.yaml_path).parent.parts)
    ]
