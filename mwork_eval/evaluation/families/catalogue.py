"""The families of tasks that have some languages: how they are scored, and whether their data can be had."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.benchmarks.task_family import CODE
from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.codes import Spoken, spoken_of
from mwork_eval.evaluation.families.members import FamilyPattern, families_of
from mwork_eval.evaluation.families.resolve import Index, leaves_of, named_families, whole_families
from mwork_eval.evaluation.families.sources import DataSource, reach, source_of
from mwork_eval.evaluation.metric_choice import declared_metrics
from mwork_eval.results.main_metric import find_main_metric

_KINDS = {
    "multiple_choice": "choice",
    "generate_until": "generated",
    "loglikelihood": "likelihood",
    "loglikelihood_rolling": "likelihood",
}
_OWN_CODE = "own code"
"""How a task is scored that is written in Python."""


@dataclass(frozen=True)
class FamilyRow:
    """A family as `mwork tasks` lists it.

    Attributes:
        name: What `tasks` takes.
        tasks: By language asked for, the lm-eval tasks or groups; several where it is not told which is meant.
        subtasks: Largest number of tasks that a language's group has; 1 for a single task.
        kind: How it is scored: by `choice`, what is `generated`, a `likelihood`, or `own code`.
        metric: The main metric, as far as the configuration of the first task tells.
        sources: Where the data come from.
        data: Whether they can be had now.
    """

    name: str
    tasks: Mapping[str, tuple[str, ...]]
    subtasks: int
    kind: str
    metric: str
    sources: tuple[DataSource, ...]
    data: str = ""


def list_families(
    languages: Sequence[str],
    index: Index,
    name: str | None = None,
    ask: Callable[[Iterable[DataSource]], Mapping[DataSource, str]] = reach,
) -> list[FamilyRow]:
    """Return the families that have at least two of some languages, ours first.

    Args:
        languages: Tags, at least two.
        index: lm-eval's index with our tasks.
        name: Only families of this name: ours, or those that `resolve_family` would find or choose from.
        ask: Tells which data can be had.

    Raises:
        InputError: If there is none.
    """
    spoken = {tag: one for tag in languages if (one := spoken_of(tag)) is not None}
    found: list[FamilyPattern] = []
    if name is None:
        names = [task for task, entry in index.items() if entry.yaml_path is not None]
        found = whole_families(families_of(names, [*spoken.values()]), index)
    elif name not in BENCHMARKS:
        named = named_families(name, [*spoken.values()], index)
        found = [family for family in named if sum(bool(family.find(one)) for one in spoken.values()) > 1]
    own = [_own_row(ours, languages) for ours in BENCHMARKS if name in (None, ours)]
    rows = [row for row in own if len(row.tasks) > 1]
    rows += [_row(family, spoken, index) for family in found if _name(family) not in BENCHMARKS]
    if not rows:
        raise InputError(
            f"no family of tasks{'' if name is None else f' {name}'} has two of the languages",
            found=" ".join(languages),
        )
    reached = ask(source for row in rows for source in row.sources)
    return [
        replace(row, data=", ".join(dict.fromkeys(reached[source] for source in row.sources))) if row.sources else row
        for row in rows
    ]


def _name(family: FamilyPattern) -> str:
    """Return the shortest name that means a family."""
    before, _, after = family.pattern.partition(CODE)
    return family.pattern if after else before[:-1]


def _own_row(name: str, languages: Sequence[str]) -> FamilyRow:
    benchmark = BENCHMARKS[name]
    tasks = {language: (f"{name}_{language}",) for language in languages if benchmark.has(language)}
    path = str(benchmark.hub.get("path"))
    kind = "generated" if benchmark.generated else "likelihood" if benchmark.free_text else "choice"
    return FamilyRow(name, tasks, 1, kind, benchmark.metric.partition(",")[0], (DataSource(path),))


def _row(family: FamilyPattern, spoken: Mapping[str, Spoken], index: Index) -> FamilyRow:
    found = {tag: tuple(member.name for member in family.find(one)) for tag, one in spoken.items()}
    tasks = {tag: names for tag, names in found.items() if names}
    leaves = [leaves_of(names[0], index) for names in tasks.values()]
    configs = [config for own in leaves for leaf in own if leaf in index and (config := index[leaf].cfg)]
    first = configs[0] if configs else {}
    reported = {f"{metric},none": 0.0 for metric in declared_metrics(first)}
    return FamilyRow(
        _name(family),
        tasks,
        max(map(len, leaves)),
        _OWN_CODE if "class" in first else _KINDS.get(str(first.get("output_type")), "generated"),
        find_main_metric(family.pattern, reported, declared=first).metric.partition(",")[0] if reported else "",
        tuple(dict.fromkeys(map(source_of, configs))),
    )
