"""The arguments of a matrix as users write them, turned into what the plan takes; checked before a model loads."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import find_tasks
from mwork_eval.evaluation.sampling import EVEN, Order
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.presets import find_presets
from mwork_eval.matrix.whole import check_counts, check_draws
from mwork_eval.neurons.drawn_sets import find_drawn_sets
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import check_controls
from mwork_eval.neurons.references import find_language_sets, find_named_sets

Neurons = str | Path | NeuronSet | Mapping[str, NeuronSet]
"""A folder with a set per language, local or shipped; a set that says its language; or sets by language."""
Names = str | Path | Iterable[str | Path]
"""One name, or several."""
Drawn = int | Sequence[Mapping[str, NeuronSet]]
"""A number of draws that lie beside the sets in their folder, or per draw the sets by language."""


class OptionArguments(TypedDict, total=False):
    """Arguments of `ablate` that need no other to be understood; it describes each."""

    tasks: Names | None
    limit: int | None
    order: Order
    data: str | Path | None
    seeds: Iterable[int] | None
    controls: str
    cross: bool
    counts: Iterable[int]
    understanding_layers: int | None
    generation_layers: int | None
    force: bool


class MatrixArguments(OptionArguments, total=False):
    """What a matrix consists of, apart from model and sets: arguments of `ablate`, which describes each."""

    preset: Names
    languages: Iterable[str] | None
    set_draws: Drawn | None


def prepare_matrix(
    neurons: Neurons | None,
    *,
    preset: Names = "existence",
    languages: Iterable[str] | None = None,
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
    limit: int | None = None,
    order: Order = EVEN,
    seeds: Iterable[int] | None = None,
    data: str | Path | None = None,
    understanding_layers: int | None = None,
    generation_layers: int | None = None,
    force: bool = False,
    controls: str = "any",
    cross: bool = False,
    counts: Iterable[int] = (),
) -> MatrixOptions:
    """Turn arguments of `ablate` into one value.

    Raises:
        InputError: If a preset is unknown or none is given, or a number is unusable.
    """
    presets = find_presets(names_of(preset))
    check_controls(controls)
    if limit is not None and limit < 1:
        raise InputError("unusable limit", found=limit, expected="at least 1 document, or None for all")
    numbers, drawn = sorted(set(counts)), None if seeds is None else tuple(dict.fromkeys(seeds))
    if numbers and numbers[0] < 1:
        raise InputError("unusable counts", found=numbers, expected="numbers from 1 such as 10, 30, 100")
    if drawn and min(drawn) < 0:
        raise InputError("unusable seeds", found=drawn, expected="numbers from 0 such as 1, 2, 3")
    # What the option --data reads, too; a cell says where its task's data came from.
    source = str(data) if data is not None else os.environ.get("MWORK_DATA") or None
    return MatrixOptions(
        presets,
        tuple(dict.fromkeys(names_of(tasks or ()))),
        tuple(languages),
        limit=limit,
        order=order,
        seeds=drawn,
        data=source,
        understanding_layers=understanding_layers,
        generation_layers=generation_layers,
        force=force,
        controls=controls,
        cross=cross,
        counts=tuple(numbers),
    )


def find_sets(neurons: Neurons | None, languages: Iterable[str] | None) -> tuple[dict[str, NeuronSet], list[str]]:
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
    asked = None if languages is None else list(dict.fromkeys(languages))
    if isinstance(neurons, str | Path):
        if asked is None:
            named = find_named_sets([str(neurons)])
            asked = [ENGLISH, *(name for name, own in named.items() if own.about.get("language") == name != ENGLISH)]
        return find_language_sets(str(neurons), [code for code in asked if code != ENGLISH]), asked
    given = {str(neurons.about.get("language")): neurons} if isinstance(neurons, NeuronSet) else dict(neurons)
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
    if isinstance(draws, int):
        if draws < 2:
            raise InputError("unusable set_draws", found=draws, expected="at least 2")
        if not isinstance(neurons, str | Path):
            raise InputError(
                "a number of set draws needs the folder they lie in",
                found="sets in memory",
                expected="the drawn sets themselves, or a folder of `mwork detect --set-draws`",
            )
        return replace(options, set_draws=find_drawn_sets(str(neurons), sets, draws))
    if missing := sorted({code for draw in draws for code in sets if code not in draw}):
        raise InputError("a draw lacks the set of a language", found=f"no {' '.join(missing)}")
    return replace(options, set_draws=tuple({code: draw[code] for code in sets} for draw in draws))


def names_of(names: Names) -> list[str]:
    """Return names as a list."""
    return [str(names)] if isinstance(names, str | Path) else [str(name) for name in names]
