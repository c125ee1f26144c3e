"""The arguments of a comparison of detectors, turned into a matrix with a preset per detector."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from mwork_eval.application.arguments import (
    Names,
    folder_to_read,
    languages_of,
    names_of,
    positions_of,
    shown_value,
    whole_number,
)
from mwork_eval.application.detection import Detection
from mwork_eval.application.detector_sets import DetectorSets, check_told, choose_detectors, structures_of_all
from mwork_eval.application.matrix_arguments import OptionArguments, check_task_data, make_matrix_options
from mwork_eval.errors import InputError
from mwork_eval.matrix.options import MatrixOptions, check_has_pivot
from mwork_eval.matrix.settings import Preset, Setting
from mwork_eval.neurons.stages import Stages, parse_positions
from mwork_eval.neurons.structures import parse_structures

TASK = "bpb"
"""What detectors are compared on unless asked otherwise: every language has it, and it needs no answers."""

Scores = Detection | str | Path
"""What `detect` gives, or the folder that it wrote."""


class ComparisonArguments(OptionArguments, total=False):
    """What a comparison consists of, apart from the model: arguments of `compare_detectors`, which describes each."""

    detectors: Names | None
    arguments: Mapping[str, Mapping[str, Any]] | None
    count: int
    structures: str | Iterable[str] | None
    positions: str | Iterable[str]
    languages: str | Iterable[str] | None


def prepare_comparison(
    scores: Scores | None,
    *,
    detectors: Names | None = None,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    count: int = 100,
    structures: str | Iterable[str] | None = None,
    positions: str | Iterable[str] = "all",
    languages: str | Iterable[str] | None = None,
    **given: Unpack[OptionArguments],
) -> MatrixOptions:
    """Return the matrix of a comparison: a preset per detector, with neuron sets of its own.

    Args:
        scores: As in `compare_detectors`; so are the next ones.
        detectors: See there.
        arguments: See there.
        count: See there.
        structures: See there.
        positions: See there.
        languages: See there.
        **given: The other arguments of `compare_detectors` that are about the matrix.

    Raises:
        InputError: If an argument is wrong, the scores lack what a detector needs, or a detector finds too few neurons.
    """
    # The name of a preset only stands in until the detectors' own are known; its task is never used.
    given["tasks"] = given.get("tasks") or TASK
    options = make_matrix_options("existence", **given)
    found, codes = _scores_of(scores, languages, options.pivot)
    number = whole_number("count", count, at_least=1)
    names = choose_detectors(found, None if detectors is None else names_of("detectors", detectors))
    told = _told(arguments)
    check_told(names, told)
    asked = None if structures is None else parse_structures(",".join(names_of("structures", structures)))
    where = parse_positions(positions_of(positions))
    settings = (Setting(True, where), Setting(False, where))
    options = replace(
        options, presets=tuple(Preset(name, None, "", TASK, settings) for name in names), languages=tuple(codes)
    )
    check_task_data(options)
    selecting = DetectorSets(
        found,
        tuple(code for code in codes if code != options.pivot),
        structures_of_all(names, asked, told),
        where,
        Stages.of(
            next(iter(found.tables.values())).shape.layers, options.understanding_layers, options.generation_layers
        ),
        options.pivot,
        told,
    )
    return replace(options, own_sets={name: selecting.of(name, number, options.counts) for name in names})


def _told(arguments: Any) -> dict[str, dict[str, Any]]:
    """Return by detector what it is told.

    Raises:
        InputError: If that is no mapping of mappings.
    """
    given = {} if arguments is None else arguments
    if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
        expected = "a mapping by detector, such as {'lape': {'bar': 0.9}}"
        raise InputError("unusable arguments", found=shown_value(arguments), expected=expected)
    return {name: dict(told) for name, told in given.items()}


def _scores_of(scores: Scores | None, languages: str | Iterable[str] | None, pivot: str) -> tuple[Detection, list[str]]:
    """Return the scores of the languages compared, and these, the pivot first."""
    if scores is None or not isinstance(scores, Detection | str | Path):
        expected = "what `detect` gives, or the folder that it wrote"
        raise InputError("no scores to select from", found=shown_value(scores), expected=expected)
    every = scores if isinstance(scores, Detection) else Detection.load(folder_to_read("scores", scores))
    asked = [*every.tables] if languages is None else languages_of(languages)
    if missing := [code for code in asked if code not in every.tables]:
        raise InputError("languages that were not scored", found=" ".join(missing), expected=" ".join(every.tables))
    check_has_pivot(pivot, asked)
    codes = [pivot, *(code for code in asked if code != pivot)]
    return Detection({code: every.tables[code] for code in codes}), codes
