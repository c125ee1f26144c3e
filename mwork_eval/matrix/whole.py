"""What a matrix has beyond its tables: every mask on every language, several numbers of neurons, and drawn sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.own_sets import every_set
from mwork_eval.matrix.plan import Cell, Mask, belongs, plan_masks
from mwork_eval.matrix.settings import Preset
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import stages_for


def plan_cross(masks: Mapping[str, Sequence[Mask]], families: Sequence[TaskFamily]) -> Iterator[Cell]:
    """Yield the cells that make a table's cells a square: every mask on the other languages' documents."""
    for mask in _language_specific_first(masks):
        for family in families:
            if belongs(mask, family):
                for language in family.languages:
                    if language not in (mask.language, mask.pivot):
                        yield Cell(mask, family, language)


def plan_pairs(masks: Mapping[str, Sequence[Mask]], families: Sequence[TaskFamily]) -> Iterator[Cell]:
    """Yield the cells of masks of several sizes or draws: each on its own language and on the pivot."""
    for mask in _language_specific_first(masks):
        for family in families:
            if belongs(mask, family):
                yield Cell(mask, family, mask.language)
                yield Cell(mask, family, mask.pivot)


def dose_masks(
    preset: Preset,
    sets: Mapping[str, NeuronSet],
    stages: Stages,
    seeds: Sequence[int],
    counts: Sequence[int],
    controls: str = "any",
    pivot: str = ENGLISH,
    by_count: Mapping[int, Mapping[str, NeuronSet]] | None = None,
) -> dict[str, list[Mask]]:
    """Return the masks of each language for each number of neurons, the highest scores of its set.

    Args:
        preset: The table.
        sets: By mask language, the neurons.
        stages: Where the positions lie.
        seeds: Seeds of the random controls.
        counts: The numbers.
        controls: What random controls are drawn from.
        pivot: The language that the others are compared with.
        by_count: By number, sets of just so many neurons to take instead.

    Raises:
        InputError: If a set has too few neurons, or too few are left for a random control.
    """
    masks: dict[str, list[Mask]] = {language: [] for language in sets}
    for count in counts:
        of_count = sets if by_count is None else by_count[count]
        for language, of_language in plan_masks(preset, of_count, stages, seeds, controls, count, pivot).items():
            masks[language] += [replace(mask, count=count) for mask in of_language]
    return masks


def draw_masks(
    masks: Mapping[str, Sequence[Mask]], draws: Sequence[Mapping[str, NeuronSet]], stages: Stages
) -> dict[str, list[Mask]]:
    """Return the language-specific masks of each language with the sets of each draw, of the table's number of neurons.

    A draw that has fewer deactivates all it has: the rule finds more or fewer in other documents, too.

    Args:
        masks: The masks of the table by language.
        draws: Per draw, the sets by language.
        stages: Where the positions lie.

    Raises:
        InputError: If a draw has no neuron at the positions of a setting.
    """
    drawn: dict[str, list[Mask]] = {language: [] for language in masks}
    for mask in _language_specific_first(masks):
        for number, sets in enumerate(draws if not mask.setting.random else (), 1):
            found = sets[mask.language].at(stages, mask.setting.positions)
            if len(found) == 0:
                raise InputError(
                    f"draw {number} of the documents has no neuron of {mask.language} for {mask.setting.name}",
                    found=sets[mask.language].by_position(stages),
                    hint="select larger sets with a higher `fraction` of `detect`",
                )
            kept = found.strongest(min(len(found), len(mask.neurons)))
            drawn[mask.language].append(replace(mask, neurons=kept, draw=number))
    return drawn


def check_draws(sets: Mapping[str, NeuronSet], options: MatrixOptions) -> None:
    """Fail before a model loads if a draw has no neuron at the positions of a setting.

    Raises:
        InputError: As `draw_masks` does.
    """
    stages = _stages(sets, options)
    for preset in options.presets if options.set_draws else ():
        draw_masks(plan_masks(preset, sets, stages, seeds=()), options.set_draws, stages)


def check_interventions(sets: Mapping[str, NeuronSet], options: MatrixOptions) -> None:
    """Fail before a model loads if a set lacks activations that the intervention of a setting needs.

    Raises:
        InputError: Names what it lacks.
    """
    for preset in options.presets if not options.own_sets else ():
        for setting in preset.settings:
            for language, neurons in sets.items():
                try:
                    Intervention.of(neurons, setting.intervention)
                except InputError as error:
                    raise InputError(f"{preset.name}, {setting.name}, {language}: {error}") from error


def check_counts(sets: Mapping[str, NeuronSet], options: MatrixOptions) -> None:
    """Fail before a model loads if a set has fewer neurons, at the positions of a setting, than are asked for.

    Raises:
        InputError: Names the largest number there is.
    """
    # Presets with sets of their own have one for each number.
    presets = [preset for preset in options.presets if preset.name not in options.own_sets]
    if not presets or not options.counts:
        return
    stages = _stages(sets, options)
    for preset in presets:
        largest, language, name = min(
            (len(neurons.at(stages, setting.positions)), language, setting.name)
            for language, neurons in sets.items()
            for setting in preset.settings
        )
        if options.counts[-1] > largest:
            raise InputError(
                f"`counts` asks for more neurons than {language} has for {name} of {preset.name}",
                found=options.counts[-1],
                expected=f"at most {largest}",
                hint="select larger sets with a higher `fraction` of `detect` or `select`",
            )


def _stages(sets: Mapping[str, NeuronSet], options: MatrixOptions) -> Stages:
    every = every_set(sets, options.own_sets)
    return stages_for(every, every[0].shape.layers, options.understanding_layers, options.generation_layers)


def _language_specific_first(masks: Mapping[str, Sequence[Mask]]) -> list[Mask]:
    return sorted((mask for of_language in masks.values() for mask in of_language), key=lambda m: m.setting.random)
