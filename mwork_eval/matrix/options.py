"""What a matrix consists of, apart from the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from mwork_eval.benchmarks.rows import BENCHMARKS, draws_of
from mwork_eval.benchmarks.task_family import CODE, TaskFamily, benchmark_name
from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.resolve import fill_pattern, is_pattern, resolve_family, tags_of
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import EVEN, Order
from mwork_eval.evaluation.task_manager import whole_index
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.own_sets import OwnSets
from mwork_eval.matrix.settings import Preset
from mwork_eval.neurons.neuron_set import NeuronSet

EVERY = ""
"""Among metrics by task, the one that stands for all that have none of their own."""

T = TypeVar("T", int, str)


@dataclass(frozen=True)
class MatrixOptions:
    """What a matrix consists of, apart from the model.

    Attributes:
        presets: The tables.
        tasks: Benchmarks, or patterns with `{l}` for the language, for every preset; each preset's own if empty.
        languages: Languages, the pivot among them.
        limit: Documents per task, or None for all.
        order: Which ones, as `Sample` takes it.
        seeds: Seeds of the random controls; None for as many, from 1, as each benchmark says.
        controls: What they are drawn from; one of `CONTROLS`.
        data: Where the tasks' data comes from, as `prepare_tasks` takes it.
        understanding_layers: Number of understanding layers, or None for the default.
        generation_layers: Number of generation layers, or None for the default.
        force: Accept sets made for other weights of the same sizes.
        repair: Whether damaged cells, and a damaged manifest, are made again instead of being an error.
        cross: Whether every mask is tried on the documents of every language, too.
        counts: Numbers of neurons, ascending, to deactivate beside the table's own.
        set_draws: By language, the sets of random halves of the detection documents, to deactivate beside the table's.
        own_tasks: By name, the lm-eval tasks by language that the user defined.
        metrics: By benchmark, the main metric that was asked for; under `EVERY`, that of all others.
        pivot: The language that the others are compared with.
        prompting: How models are asked.
        model_args: Further arguments of `mwork-hf` that the model was loaded with.
        limits: By benchmark or pattern, the documents of each of its tasks where they are not ``limit``.
        own_sets: By preset, the neuron sets of those that do not share the matrix's.
    """

    presets: tuple[Preset, ...]
    tasks: tuple[str, ...]
    languages: tuple[str, ...]
    limit: int | None = None
    order: Order = EVEN
    seeds: tuple[int, ...] | None = None
    data: str | None = None
    understanding_layers: int | None = None
    generation_layers: int | None = None
    force: bool = False
    repair: bool = False
    controls: str = "any"
    cross: bool = False
    counts: tuple[int, ...] = ()
    set_draws: tuple[Mapping[str, NeuronSet], ...] = ()
    own_tasks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    pivot: str = ENGLISH
    prompting: Prompting = field(default_factory=Prompting)
    model_args: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    own_sets: Mapping[str, OwnSets] = field(default_factory=dict)

    def families(self, preset: Preset) -> list[TaskFamily]:
        """Return the benchmarks of a preset with the languages they have among those asked for.

        Raises:
            InputError: If the pivot is not asked for, or a benchmark lacks it or every other language.
        """
        check_has_pivot(self.pivot, self.languages)
        families = [
            find_family(name, self.languages, self._own(name, preset), pivot=self.pivot)
            for name in self.tasks or (preset.task,)
        ]
        return [replace(family, seeds=self.seeds_of(family)) for family in families]

    def sets_of(self, preset: Preset, shared: Mapping[str, NeuronSet]) -> Mapping[str, NeuronSet]:
        """Return the neuron sets of a preset by mask language: its own, else those that presets share."""
        return self.own_sets[preset.name].sets if preset.name in self.own_sets else shared

    def _own(self, name: str, preset: Preset) -> Mapping[str, str] | None:
        return self.own_tasks.get(name) if self.tasks else preset.tasks

    def metrics_by_task(self, families: Sequence[TaskFamily]) -> dict[str, str]:
        """Return, by lm-eval task of some benchmarks, the main metric that was asked for.

        Raises:
            InputError: If one was asked for of a benchmark that is not among them, or of all others and there are none;
                or if a task has two.
        """
        names = [family.name for family in families]
        if unknown := sorted(self.metrics.keys() - {EVERY, *names}):
            raise InputError("a metric of no task", found=" ".join(unknown), expected=f"one of {' '.join(names)}")
        if EVERY in self.metrics and self.metrics.keys() >= set(names):
            raise InputError(
                "a metric of all other tasks, of which there are none",
                found=self.metrics[EVERY],
                expected="a metric for each task",
                hint="a filter stands behind a colon: exact_match:flexible-extract",
            )
        chosen = [(family, self.metrics.get(family.name) or self.metrics.get(EVERY)) for family in families]
        return _by_task("metric", chosen)

    def limits_by_task(self, families: Sequence[TaskFamily]) -> dict[str, int]:
        """Return, by lm-eval task of some benchmarks, the documents of each where they are not ``limit``.

        Raises:
            InputError: If a task has two.
        """
        return _by_task("limit", [(family, self.limits.get(benchmark_name(family.name))) for family in families])

    def seeds_of(self, family: TaskFamily) -> tuple[int, ...]:
        """Return the seeds of the random controls of a benchmark."""
        if self.seeds is not None:
            return self.seeds
        return tuple(range(1, draws_of(map(family.task, family.languages)) + 1))


def _by_task(what: str, chosen: Sequence[tuple[TaskFamily, T | None]]) -> dict[str, T]:
    """Return what was asked for of benchmarks by lm-eval task; two names may mean one task.

    Raises:
        InputError: If two names of a task ask for different things.
    """
    found: dict[str, tuple[str, T | None]] = {}
    for family, own in chosen:
        for language in family.languages:
            other, others = found.setdefault(family.task(language), (family.name, own))
            if others != own:
                raise InputError(
                    f"{other} and {family.name} are one task, {family.task(language)}",
                    found=f"`{what}` {others or 'of its own'} and {own or 'of its own'}",
                    expected="one for both",
                )
    return {task: own for task, (_, own) in found.items() if own is not None}


def check_has_pivot(pivot: str, languages: Sequence[str]) -> None:
    """Check that the languages of a matrix are the pivot and at least one other.

    Raises:
        InputError: If they are not.
    """
    if pivot not in languages or len(languages) < 2:
        raise InputError(
            f"∆ compares {Pivot(pivot).name} with other languages",
            found=",".join(languages),
            expected=f"{pivot} and at least one other language",
        )


def find_family(
    name: str, languages: Sequence[str], tasks: Mapping[str, str] | None = None, *, pivot: str = ENGLISH
) -> TaskFamily:
    """Return a benchmark with the languages it has among those asked for.

    Args:
        name: One of ours, a pattern, or a family of lm-eval's tasks, as `resolve_family` takes it.
        languages: The languages.
        tasks: By language its tasks, if the user said which; then the name is only a name.
        pivot: The language that the others are compared with.

    Raises:
        InputError: If it has less than two of the languages, or not the pivot; or what `resolve_family` raises.
    """
    family = look_up_family(name, languages, tasks)
    if len(family.languages) < 2:
        if tasks is not None:
            has = list(tasks)
        elif is_pattern(name) and CODE not in name:
            has = list(family.languages)
        else:
            has = BENCHMARKS[name].languages if name in BENCHMARKS else tags_of(name, languages, whole_index())
        raise InputError(f"{name} has none of the languages", found=family.missing, expected=" ".join(has))
    if pivot in languages and pivot not in family.languages:
        raise InputError(
            f"{name} has no {pivot}, which the others are compared with",
            found=f"`pivot={pivot}`",
            expected=f"a pivot among {' '.join(family.languages)}",
            hint="for `ablate` and `tune_layers` a .yaml file can name one: "
            f"{name}: {{{pivot}: TASK, {family.languages[0]}: TASK}}",
        )
    return family


def look_up_family(name: str, languages: Sequence[str], tasks: Mapping[str, str] | None = None) -> TaskFamily:
    """Return a benchmark with the languages it has among those asked for, however few.

    Args:
        name: As in `find_family`.
        languages: The languages.
        tasks: As in `find_family`.

    Raises:
        InputError: What `resolve_family` raises.
    """
    if tasks is not None:
        found = TaskFamily(name, tuple(tasks), tasks={one: tasks[one] for one in languages if one in tasks})
    elif name in BENCHMARKS:
        found = TaskFamily(name, tuple(filter(BENCHMARKS[name].has, languages)))
    elif is_pattern(name) and CODE not in name:
        found = TaskFamily(name, tuple(languages), tasks=fill_pattern(name, languages))
    else:
        found = resolve_family(name, languages, whole_index())
    return replace(
        found,
        languages=tuple(language for language in languages if language in found.languages),
        missing=tuple(language for language in languages if language not in found.languages),
    )
