"""The arguments of a matrix as users write them, turned into what the plan takes; checked before a model loads."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

from mwork_eval.application.arguments import (
    Names,
    Numbers,
    languages_of,
    limits_of,
    names_of,
    one_of,
    order_of,
    seeds_of,
    shown_value,
    whole_number,
    whole_numbers,
)
from mwork_eval.application.object_arguments import language_of, sets_by_language
from mwork_eval.benchmarks.task_family import benchmark_name
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import find_tasks
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.presets import find_presets
from mwork_eval.matrix.whole import check_counts, check_draws
from mwork_eval.neurons.drawn_sets import find_drawn_sets
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import CONTROLS
from mwork_eval.neurons.references import find_language_sets, find_named_sets

Neurons = str | Path | NeuronSet | Mapping[str, NeuronSet | str | Path]
"""A folder with a set per language, local or shipped; a set that says its language; sets or references by language."""
Drawn = int | Sequence[Mapping[str, NeuronSet]]
"""A number of draws that lie beside the sets in their folder, or per draw the sets by language."""


class OptionArguments(TypedDict, total=False):
    """Arguments of `ablate` that need no other to be understood; it describes each."""

    tasks: Names | None
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
    sets, codes = find_sets(neurons, languages)
    options = replace(options, languages=tuple(codes))
    check_task_data(options)
    options = with_set_draws(options, neurons, sets, set_draws)
    check_counts(sets, options)
    check_draws(sets, options)
    return sets, options


def make_matrix_options(
    preset: Names,
    *,
    languages: Iterable[str] = (),
    tasks: Names | None = None,
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
) -> MatrixOptions:
    """Turn arguments of `ablate` into one value.

    Raises:
        InputError: If a preset is unknown or none is given, or a number is unusable.
    """
    presets = find_presets(names_of("preset", preset))
    one_of("controls", controls, CONTROLS)
    (most, limits), order = limits_of(limit), order_of(sample_seed)
    names = () if tasks is None else tuple(names_of("tasks", tasks))
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
        limits=limits,
    )


def find_sets(neurons: Neurons | None, languages: str | Iterable[str] | None) -> tuple[dict[str, NeuronSet], list[str]]:
    """Return the neuron sets by language, and the languages of the matrix: English and those of the sets if not given.

    Args:
        neurons: The sets, or where they are.
        languages: The languages asked for, English among them, or None.

    Raises:
        InputError: If there are no sets, or a language has none.
    """
    if neurons is None:
        raise InputError(
            "no neurons given",
            expected="sets by language as `Detection.select` returns them, a folder of sets, or gemma3-270m",
        )
    asked = None if languages is None else languages_of(languages)
    if isinstance(neurons, str | Path):
        if asked is None:
            named = find_named_sets([str(neurons)])
            asked = [ENGLISH, *(name for name, own in named.items() if own.about.get("language") == name != ENGLISH)]
        return find_language_sets(str(neurons), [code for code in asked if code != ENGLISH]), asked
    if not isinstance(neurons, NeuronSet | Mapping):
        expected = "sets by language such as {'zh': set}, a folder of them, or gemma3-270m"
        raise InputError("unusable neurons", found=shown_value(neurons), expected=expected)
    given = {language_of(neurons): neurons} if isinstance(neurons, NeuronSet) else sets_by_language(neurons)
    asked = [ENGLISH, *(code for code in given if code != ENGLISH)] if asked is None else asked
    if missing := [code for code in asked if code not in given and code != ENGLISH]:
        raise InputError(
            "languages without a neuron set", found=" ".join(missing), expected=f"some of {' '.join(given)}"
        )
    return {code: given[code] for code in asked if code != ENGLISH}, asked


def check_task_data(options: MatrixOptions) -> None:
    """Fail before a model loads if a task is unknown or its data is not there.

    Raises:
        InputError: Says which.
    """
    families = [family for preset in options.presets for family in options.families(preset)]
    find_tasks([family.task(language) for family in families for language in family.languages], options.data)


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
    return replace(options, set_draws=tuple({code: draw[code] for code in sets} for draw in draws))
