"""A benchmark in several languages: what its lm-eval tasks are called, and what such a name says."""

from dataclasses import dataclass, field

from mwork_eval.benchmarks.rows import task_of
from mwork_eval.languages.table import rows


@dataclass(frozen=True)
class TaskFamily:
    """A benchmark and the languages it has among those asked for.

    Attributes:
        name: What the user wrote: a benchmark such as `xquad`, or a pattern with `{l}` for the language.
        languages: Languages it has, English among them.
        missing: Languages asked for that it lacks.
        seeds: Seeds of its random controls in a matrix; None for those of all masks.
    """

    name: str
    languages: tuple[str, ...]
    missing: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None

    def task(self, language: str) -> str:
        """Return the name of the lm-eval task of a language."""
        return task_name(self.name, language)


def task_name(family: str, language: str) -> str:
    """Return the name of the lm-eval task of a benchmark, or a pattern with `{l}`, in a language."""
    return family.replace("{l}", language) if "{l}" in family else f"{family}_{language}"


def benchmark_name(family: str) -> str:
    """Return the name of a benchmark, or of what a pattern with `{l}` is about, without a language."""
    return family.replace("_{l}", "").replace("{l}", "")


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
    def of_cell(cls, family: str, language: str) -> "TaskName":
        """Return the name of a matrix' benchmark, or pattern with `{l}`, in a language."""
        return cls(task_name(family, language), benchmark_name(family), language)

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
