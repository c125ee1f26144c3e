"""The plan of a matrix: which masks there are, and which cells they make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.settings import Preset, Setting
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.neurons.stages import Stages


@dataclass(frozen=True)
class Mask:
    """What is deactivated for one setting, one mask language and, if random, one seed.

    Attributes:
        setting: The row of the table.
        language: The language whose neurons it is about.
        seed: Seed of a random control, else None.
        neurons: The neurons.
        count: Their number where the user asked for several numbers, to see how the damage grows with it; None for
            the masks of the table.
        draw: Number of the random half of the detection documents that its set is from; None for sets of all documents.
        pivot: The language that its own is compared with.
        source: What found the neurons, where its preset has sets of its own; may be empty.
    """

    setting: Setting
    language: str
    seed: int | None
    neurons: NeuronSet
    count: int | None = None
    draw: int | None = None
    pivot: str = ENGLISH
    source: str = ""


@dataclass(frozen=True)
class Cell:
    """One score to compute: a task under a mask, or without one (the baseline).

    Attributes:
        mask: The mask, or None.
        family: The benchmark.
        language: The language of the task.
    """

    mask: Mask | None
    family: TaskFamily
    language: str

    @property
    def task(self) -> str:
        """Name of the lm-eval task."""
        return self.family.task(self.language)

    @property
    def intervention(self) -> Intervention | None:
        """What is done to the model; None if nothing is, so that an empty mask counts as the baseline.

        Raises:
            InputError: If the set lacks activations that it needs.
        """
        if self.mask is None:
            return None
        done = Intervention.of(self.mask.neurons, self.mask.setting.intervention)
        return None if done.is_nothing else done

    @property
    def part(self) -> str:
        """What it is part of: the `cells` of the tables, what makes them a square (`cross`), a `dose`, or `draws`."""
        if self.mask is None:
            return "cells"
        if self.mask.count is not None:
            return "dose"
        if self.mask.draw is not None:
            return "draws"
        return "cells" if self.language in (self.mask.language, self.mask.pivot) else "cross"

    @property
    def label(self) -> str:
        """Short text for progress and messages."""
        if self.mask is None:
            return f"baseline · {self.task}"
        count = "" if self.mask.count is None else f" {self.mask.count} neurons"
        draw = "" if self.mask.draw is None else f" set draw {self.mask.draw}"
        seed = "" if self.mask.seed is None else f" seed {self.mask.seed}"
        source = f"{self.mask.source} · " if self.mask.source else ""
        return f"{source}{self.mask.setting.name}{count}{draw} · {self.mask.language}{seed} · {self.task}"


def all_seeds(families: Sequence[TaskFamily]) -> tuple[int, ...]:
    """Return the seeds that any of some benchmarks has, each once."""
    return tuple(dict.fromkeys(seed for family in families for seed in family.seeds or ()))


def belongs(mask: Mask, family: TaskFamily) -> bool:
    """Tell whether a mask belongs to a benchmark: its language is there, and its seed is one of those drawn."""
    drawn = mask.seed is None or family.seeds is None or mask.seed in family.seeds
    return drawn and mask.language in family.languages


def plan_masks(
    preset: Preset,
    sets: Mapping[str, NeuronSet],
    stages: Stages,
    seeds: Sequence[int],
    controls: str = "any",
    count_of_all: int | None = None,
    pivot: str = ENGLISH,
) -> dict[str, list[Mask]]:
    """Return the masks of each language, all of the same number of neurons.

    The number is the smallest that a setting of the table finds at its positions; larger ones keep their highest
    scores. A random control has as many of every layer and structure as the language-specific neurons it
    stands against, and shares none with the language's whole set; ``controls`` says what it is drawn from.

    Args:
        preset: The table.
        sets: By mask language, the neurons.
        stages: Where the positions lie.
        seeds: Seeds of the random controls.
        controls: What they are drawn from; one of `CONTROLS`.
        count_of_all: Another number of neurons, for all languages.
        pivot: The language that the others are compared with.

    Raises:
        InputError: If a language has no neuron at the positions of a setting, fewer than asked for, or too few for a
            random control.
    """
    masks: dict[str, list[Mask]] = {}
    for language, neurons in sets.items():
        at = {setting: neurons.at(stages, setting.positions) for setting in preset.settings}
        for setting, found in at.items():
            if len(found) == 0:
                raise InputError(
                    f"{language} has no neuron at {'+'.join(setting.positions)}, which {preset.name} needs",
                    found=neurons.by_position(stages),
                    hint="select more neurons or move the stage boundaries",
                )
        count = count_of_all or min(map(len, at.values()))
        masks[language] = []
        for setting, found in at.items():
            kept = found.strongest(count)
            if not setting.random:
                masks[language].append(Mask(setting, language, None, kept, pivot=pivot))
                continue
            for seed in seeds:
                try:
                    control = draw_random_control(kept, excluded=neurons, seed=seed, controls=controls)
                except InputError as error:
                    raise InputError(f"{preset.name}, {setting.name}, {language}: {error}") from error
                masks[language].append(Mask(setting, language, seed, control, pivot=pivot))
    return masks


def plan_cells(
    masks: Mapping[str, Sequence[Mask]], families: Sequence[TaskFamily], pivot: str = ENGLISH
) -> Iterator[Cell]:
    """Yield the cells: the baseline first, then every mask on its own language and on the pivot.

    A mask language that a benchmark lacks has no cell there. Settings are gone through for all languages
    before the next one, so that whole rows of the table appear early.
    """
    languages = [pivot, *masks]
    for family in families:
        for language in languages:
            if language in family.languages:
                yield Cell(None, family, language)
    longest = max((len(of_language) for of_language in masks.values()), default=0)
    # Rows that deactivate language-specific neurons come last in the paper's tables and first here.
    for number in sorted(range(longest), key=lambda n: next(iter(masks.values()))[n].setting.random):
        for language, of_language in masks.items():
            for family in families:
                if belongs(of_language[number], family):
                    yield Cell(of_language[number], family, language)
                    yield Cell(of_language[number], family, pivot)
