"""A benchmark in several languages: what its lm-eval tasks are called."""

from dataclasses import dataclass


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
