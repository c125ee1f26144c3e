"""A benchmark in several languages: what its lm-eval tasks are called, and what such a name says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mwork_eval.benchmarks.rows import task_of
from mwork_eval.languages.table import rows

FIELDS = ("{l}", "{iso3}", "{flores}", "{name}")
"""Fields of a pattern that a language alone fills, without lm-eval's index."""
CODE = "{code}"
"""The field that stands for whatever codes a language in lm-eval's index."""
_FIELD = re.compile(f"_?({'|'.join(map(re.escape, (*FIELDS, CODE)))})")


@dataclass(frozen=True)
class TaskFamily:
    """A benchmark and the languages it has among those asked for.

    Attributes:
        name: What the user wrote: a benchmark such as `xquad`, or a pattern with `{l}` for the language.
        languages: Languages it has, English among them.
        missing: Languages asked for that it lacks.
        seeds: Seeds of its random controls in a matrix; None for those of all masks.
        tasks: By language, the lm-eval task or group where its name is not what `task_name` gives.
    """

    name: str
    languages: tuple[str, ...]
    missing: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    tasks: Mapping[str, str] = field(default_factory=dict, hash=False)

    def task(self, language: str) -> str:
        """Return the name of the lm-eval task, or group, of a language."""
        return self.tasks.get(language) or task_name(self.name, language)

    @property
    def named_otherwise(self) -> dict[str, str]:
        """The tasks, by language, whose names are not what `task_name` gives."""
        return {language: task for language, task in self.tasks.items() if task != task_name(self.name, language)}


def task_name(family: str, language: str) -> str:
    """Return the name of the lm-eval task of a benchmark, or a pattern with `{l}`, in a language."""
    return family.replace("{l}", language) if "{l}" in family else f"{family}_{language}"


def benchmark_name(family: str) -> str:
    """Return the name of a benchmark, or of what a pattern such as `xnli_{l}` is about, without a language."""
    return _FIELD.sub("", family)


@dataclass(frozen=True)
class TaskName:
    """A task by the names that limits can use; equal if the lm-eval task is.

    Attributes:
        full: Name of the lm-eval task, such as `xquad_zh`.
        task: The benchmark, such as `xquad`.
        language: Its language; None if the name does not end in one.
    """

    full: str
    task: str = field(compare=False)
    language: str | None = field(compare=False)

    @classmethod
    def of_cell(cls, family: str, language: str, full: str | None = None) -> "TaskName":
        """Return the name of a matrix' benchmark, or pattern, in a language.

        Args:
            family: The benchmark.
            language: The language.
            full: Name of the lm-eval task where it is not what `task_name` gives.
        """
        return cls(full or task_name(family, language), benchmark_name(family), language)

    @classmethod
    def of(cls, full: str) -> "TaskName":
        """Split the name of an lm-eval task where it ends in a language.

        Of tasks that are not ours, only the codes of `languages.yaml` are taken for one: the ends of `mmlu_no` and
        `foo_is` are words.
        """
        if located := task_of(full):
            return cls(full, *located)
        task, _, language = full.rpartition("_")
        return cls(full, task, language) if task and language in rows() else cls(full, full, None)
