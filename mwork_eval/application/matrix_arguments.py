"""The arguments of a matrix as users write them, turned into what the plan takes; checked before a model loads."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from mwork_eval.application.arguments import (
    Names,
    Numbers,
    languages_of,
    limits_of,
    names_of,
    one_of,
    order_of,
    pivot_of,
    seeds_of,
    shown_value,
    whole_number,
    whole_numbers,
)
from mwork_eval.application.model_args import check_not_twice, shown_model_args
from mwork_eval.application.model_source import ModelSource
from mwork_eval.application.object_arguments import language_of, sets_by_language
from mwork_eval.application.prompting_arguments import PromptingArguments, check_prompts, prompting_of
from mwork_eval.application.task_arguments import Metrics, Tasks, metrics_of, tasks_of
from mwork_eval.benchmarks.task_family import TaskFamily, benchmark_name
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import find_tasks
from mwork_eval.evaluation.metric_choice import check_metrics
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.options import MatrixOptions, check_has_pivot
from mwork_eval.matrix.presets import find_presets
from mwork_eval.matrix.whole import check_counts, check_draws, check_interventions
from mwork_eval.neurons.drawn_sets import find_drawn_sets
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.pivots import check_made_against
from mwork_eval.neurons.random_control import CONTROLS
from mwork_eval.neurons.references import find_language_sets, find_named_sets

log = logging.getLogger(__name__)

Neurons = str | Path | NeuronSet | Mapping[str, NeuronSet | str | Path]
"""A folder with a set per language, local or shipped; a set that says its language; sets or references by language."""
Drawn = int | Sequence[Mapping[str, NeuronSet]]
"""A number of draws that lie beside the sets in their folder, or per draw the sets by language."""


class OptionArguments(TypedDict, total=False):
    """Arguments of `ablate` that need no other to be understood; it describes each."""

    tasks: Tasks | None
    metric: Metrics | None
    limit: int | Mapping[str, int] | None
    sample_seed: int | None
    data: str | Path | None
    seeds: Iterable[int] | None
    controls: str
    cross: bool
    counts: Numbers
    understanding_layers: int | None
    generation_layers: int | None
    force: bool
    repair: bool
    pivot: str
    apply_chat_template: bool | str
    system_instruction: str | None
    num_fewshot: int | None
    fewshot_as_multiturn: bool | None
    gen_kwargs: Mapping[str, Any] | str | None
    model_args: Mapping[str, Any] | None


class MatrixArguments(OptionArguments, total=False):
    """What a matrix consists of, apart from model and sets: arguments of `ablate`, which describes each."""

    preset: Names
    languages: str | Iterable[str] | None
    set_draws: Drawn | None


def prepare_matrix(
    neurons: Neurons | None,
    *,
    preset: Names = "existence",
    languages: str | Iterable[str] | None = None,
    set_draws: Drawn | None = None,
    **given: Unpack[OptionArguments],
) -> tuple[dict[str, NeuronSet], MatrixOptions]:
    """Return the neuron sets by language and the matrix, both checked as far as they can be without the model.

    Args:
        neurons: The sets, or where they are.
        preset: As in `ablate`.
        languages: As in `ablate`.
        set_draws: As in `ablate`.
        **given: The other arguments of `ablate` that are about the matrix.

    Raises:
        InputError: If an argument is wrong, or sets or data are not there.
    """
    options = make_matrix_options(preset, **given)
    sets, codes = find_sets(neurons, languages, options.pivot)
    options = replace(options, languages=tuple(codes))
    check_made_against(sets.items(), options.pivot, force=options.force)
    check_task_data(options)
    options = with_set_draws(options, neurons, sets, set_draws)
    check_counts(sets, options)
    check_interventions(sets, options)
    check_draws(sets, options)
    return sets, options


def make_matrix_options(
    preset: Names,
    *,
    languages: Iterable[str] = (),
    tasks: Tasks | None = None,
    metric: Metrics | None = None,
    limit: int | Mapping[str, int] | None = None,
    sample_seed: int | None = None,
    seeds: Iterable[int] | None = None,
    data: str | Path | None = None,
    understanding_layers: int | None = None,
    generation_layers: int | None = None,
    force: bool = False,
    repair: bool = False,
    controls: str = "any",
    cross: bool = False,
    counts: Numbers = (),
    pivot: str = ENGLISH,
    model_args: Mapping[str, Any] | None = None,
    **asking: Unpack[PromptingArguments],
) -> MatrixOptions:
    """Turn arguments of `ablate` into one value.

    Raises:
        InputError: If a preset is unknown or none is given, or a number or a way of asking is unusable.
    """
    prompting, further = prompting_of(**asking), shown_model_args(model_args or {})
    check_not_twice(further, ("double_bos",))  # the cells of a matrix begin whole texts once
    presets = find_presets(names_of("preset", preset))
    one_of("controls", controls, CONTROLS)
    (most, limits), order = limits_of(limit), order_of(sample_seed)
    names, own = tasks_of(tasks)
    known = {benchmark_name(name) for name in names or [one.task for one in presets]}
    if unknown := limits.keys() - known:
        raise InputError(
            "a `limit` of what is no task of the matrix",
            found=" ".join(sorted(unknown)),
            expected=f"some of {' '.join(sorted(known))}",
        )
    numbers = sorted(set(whole_numbers("counts", counts, at_least=1, example="[10, 30, 100]", alone=True)))
    drawn = None if seeds is None else seeds_of("seeds", seeds)
    default = "the sets' own"
    understanding_layers = whole_number("understanding_layers", understanding_layers, at_least=0, none_is=default)
    generation_layers = whole_number("generation_layers", generation_layers, at_least=0, none_is=default)
    # What the option --data reads, too; a cell says where its task's data came from.
    source = str(data) if data is not None else os.environ.get("MWORK_DATA") or None
    return MatrixOptions(
        presets,
        names,
        tuple(languages),
        limit=most,
        order=order,
        seeds=drawn,
        data=source,
        understanding_layers=understanding_layers,
        generation_layers=generation_layers,
        force=force,
        repair=repair,
        controls=controls,
        cross=cross,
        counts=tuple(numbers),
        own_tasks=own,
        metrics=metrics_of(metric),
        pivot=pivot_of(pivot),
        prompting=prompting,
        model_args=further,
        limits=limits,
    )


def find_sets(
    neurons: Neurons | None, languages: str | Iterable[str] | None, pivot: str = ENGLISH
) -> tuple[dict[str, NeuronSet], list[str]]:
    """Return the neuron sets by language, and the languages of the matrix: the pivot and those of the sets if not told.

    Args:
        neurons: The sets, or where they are.
        languages: The languages asked for, the pivot among them, or None.
        pivot: The language that the others are compared with; a set of its own is left aside.

    Raises:
        InputError: If there are no sets, a language has none, or the pivot is not asked for.
    """
    if neurons is None:
        raise InputError(
            "no neurons given",
            expected="sets by language as `Detection.select` returns them, a folder of sets, or gemma3-270m",
        )
    asked = None if languages is None else languages_of(languages)
    if asked is not None:
        check_has_pivot(pivot, asked)
    if isinstance(neurons, str | Path):
        if asked is None:
            named = find_named_sets([str(neurons)])
            asked = [pivot, *(name for name, own in named.items() if own.about.get("language") == name != pivot)]
        return find_language_sets(str(neurons), [code for code in asked if code != pivot]), asked
    if not isinstance(neurons, NeuronSet | Mapping):
        expected = "sets by language such as {'zh': set}, a folder of them, or gemma3-270m"
        raise InputError("unusable neurons", found=shown_value(neurons), expected=expected)
    given = {language_of(neurons): neurons} if isinstance(neurons, NeuronSet) else sets_by_language(neurons)
    if list(given) == [pivot]:
        raise InputError(
            f"the others are compared with {pivot}, whose own neurons stay",
            found=f"a set of {pivot} alone",
            expected=f"sets of other languages, or another `pivot` than {pivot}",
        )
    asked = [pivot, *(code for code in given if code != pivot)] if asked is None else asked
    if missing := [code for code in asked if code not in given and code != pivot]:
        raise InputError(
            "languages without a neuron set", found=" ".join(missing), expected=f"some of {' '.join(given)}"
        )
    return {code: given[code] for code in asked if code != pivot}, asked


def asked_of(options: MatrixOptions, source: ModelSource) -> MatrixOptions:
    """Return a matrix whose prompts are rendered by a model's chat template, if by any; only the tokenizer is loaded.

    Raises:
        InputError: If the tokenizer has no such template, or prompts cannot be built as they are wanted.
    """
    asked = replace(options, prompting=source.asking(options.prompting))
    check_prompts(_task_names(asked), asked.data, asked.prompting)
    return asked


def check_task_data(options: MatrixOptions) -> None:
    """Fail before a model loads if a task is unknown or its data is not there.

    Raises:
        InputError: Says which.
    """
    manager, families = find_tasks(_task_names(options), options.data), _families(options)
    check_metrics(options.metrics_by_task(families), manager.task_index)
    options.limits_by_task(families)
    for name, has, missing in dict.fromkeys((one.name, one.languages, one.missing) for one in families):
        if missing:
            log.warning("%s has no %s; its averages are over %s", name, ", ".join(missing), ", ".join(has))


def _families(options: MatrixOptions) -> list[TaskFamily]:
    return [family for preset in options.presets for family in options.families(preset)]


def _task_names(options: MatrixOptions) -> list[str]:
    return list(dict.fromkeys(one.task(language) for one in _families(options) for language in one.languages))


def with_set_draws(
    options: MatrixOptions, neurons: Neurons | None, sets: Mapping[str, NeuronSet], draws: Drawn | None
) -> MatrixOptions:
    """Add to a matrix the sets of random halves of the documents; none if not asked for.

    Args:
        options: The matrix.
        neurons: Where the sets came from.
        sets: The sets by language.
        draws: The drawn sets, or the number of those that lie beside the others.

    Raises:
        InputError: If they are not there, or are of other documents or another selection than the sets.
    """
    if draws is None:
        return options
    if not isinstance(draws, Sequence) or isinstance(draws, str):
        draws = whole_number("set_draws", draws, at_least=2)
        if not isinstance(neurons, str | Path):
            raise InputError(
                "a number of set draws needs the folder they lie in",
                found="sets in memory",
                expected="the drawn sets themselves, or a folder of `detect(set_draws=N)`",
            )
        return replace(options, set_draws=find_drawn_sets(str(neurons), sets, draws))
    if not draws or not all(isinstance(draw, Mapping) for draw in draws):
        raise InputError(
            "unusable set_draws", found=shown_value(draws), expected="per draw the sets by language, or their number"
        )
    draws = [sets_by_language(draw, "set_draws") for draw in draws]
    if missing := sorted({code for draw in draws for code in sets if code not in draw}):
        raise InputError("a draw lacks the set of a language", found=f"no {' '.join(missing)}")
    check_made_against((pair for draw in draws for pair in draw.items()), options.pivot, force=options.force)
    return replace(options, set_draws=tuple({code: draw[code] for code in sets} for draw in draws))
