"""What a matrix consists of, apart from the model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mwork_eval.benchmarks.rows import BENCHMARKS, draws_of, languages_of
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.sampling import EVEN, Order
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.settings import Preset
from mwork_eval.neurons.neuron_set import NeuronSet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatrixOptions:
    """What a matrix consists of, apart from the model.

    Attributes:
        presets: The tables.
        tasks: Benchmarks, or patterns with `{l}` for the language, for every preset; each preset's own if empty.
        languages: Languages, English among them.
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
        limits: By benchmark or pattern, the documents of each of its tasks where they are not ``limit``.
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
    limits: Mapping[str, int] = field(default_factory=dict)

    def families(self, preset: Preset) -> list[TaskFamily]:
        """Return the benchmarks of a preset with the languages they have among those asked for.

        Raises:
            InputError: If English is not asked for or no other language is left for a benchmark.
        """
        if ENGLISH not in self.languages or len(self.languages) < 2:
            raise InputError(
                "∆ compares English with other languages",
                found=",".join(self.languages),
                expected="en and at least one other language",
            )
        families = [
            replace(find_family(name, self.languages), seeds=self.seeds_of(name))
            for name in self.tasks or (preset.task,)
        ]
        for family in families:
            if family.missing:
                log.warning("%s has no %s; its averages are over %s", family.name, family.missing, family.languages)
        return families

    def seeds_of(self, task: str) -> tuple[int, ...]:
        """Return the seeds of the random controls of a benchmark, or a pattern with `{l}`."""
        return tuple(range(1, draws_of(task) + 1)) if self.seeds is None else self.seeds


def find_family(name: str, languages: Sequence[str]) -> TaskFamily:
    """Return a benchmark with the languages it has among those asked for.

    Raises:
        InputError: If it has English at most.
    """
    has = languages_of(name) if name in BENCHMARKS else list(languages)
    family = TaskFamily(
        name,
        tuple(language for language in languages if language in has),
        tuple(language for language in languages if language not in has),
    )
    if len(family.languages) < 2:
        raise InputError(f"{name} has none of the languages", found=family.missing, expected=" ".join(has))
    return family
