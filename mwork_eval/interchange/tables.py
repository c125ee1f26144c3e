"""Plain tables of neurons: a row each with layer, structure, index and, if there are several, language; CSV or JSON."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import dump, parse
from mwork_eval.interchange.csv_rows import csv_rows, whole
from mwork_eval.interchange.foreign_format import Asked, ForeignFormat, ForeignSets
from mwork_eval.interchange.limits import checked_indices, damaged, read_text
from mwork_eval.interchange.target import Target
from mwork_eval.languages.table import tag_of
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.structures import STRUCTURES

_COLUMNS = ("layer", "structure", "index")
_LANGUAGE = "language"
_MOST_ROWS = 10_000_000


def read_csv(path: Path, asked: Asked) -> ForeignSets:
    """Read a table with a first line `layer,structure,index` and maybe `language`.

    Raises:
        InputError: If it is none, a language is unknown or not there, or it does not fit the model.
    """
    rows = csv_rows(path, _COLUMNS)
    return _sets(
        path,
        asked,
        (
            (
                whole(path, "layer", row["layer"]),
                row["structure"].strip(),
                whole(path, "index", row["index"]),
                row.get(_LANGUAGE),
            )
            for row in rows
        ),
    )


def read_json(path: Path, asked: Asked) -> ForeignSets:
    """Read a list of objects with `layer`, `structure`, `index` and maybe `language`.

    Raises:
        InputError: As `read_csv` does.
    """
    try:
        value = parse(read_text(path))
    except ValueError as error:
        raise damaged(path, error, "JSON") from error
    if not isinstance(value, list):
        raise damaged(path, f"a {type(value).__name__}", "a list of objects")
    return _sets(path, asked, (_row(path, one) for one in value))


def write_csv(sets: Mapping[str, NeuronSet], target: Target) -> bytes:
    """Return a table of all neurons of sets, the highest score of a place first."""
    del target
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, _LANGUAGE])
    writer.writerows(_rows(sets))
    return text.getvalue().encode()


def write_json(sets: Mapping[str, NeuronSet], target: Target) -> bytes:
    """Return a list of objects, an object a neuron, in the order of `write_csv`."""
    del target
    rows = [dump(dict(zip([*_COLUMNS, _LANGUAGE], row, strict=True))) for row in _rows(sets)]
    return ("[\n" + ",\n".join(rows) + "\n]\n").encode()


def _rows(sets: Mapping[str, NeuronSet]) -> Iterable[tuple[int, str, int, str]]:
    return [(*neuron, language) for language, neurons in sets.items() for neuron in neurons]


def _row(path: Path, value: Any) -> tuple[int, str, int, str | None]:
    if not isinstance(value, dict):
        raise damaged(path, f"a row that is a {type(value).__name__}", "objects")
    layer, structure, index = (value.get(name) for name in _COLUMNS)
    language = value.get(_LANGUAGE)
    if (
        not _is_number(layer)
        or not _is_number(index)
        or not isinstance(structure, str)
        or not isinstance(language, str | None)
    ):
        raise damaged(path, f"the row {value}", "layer and index as whole numbers from 0, structure as text")
    return layer, structure, index, language


def _is_number(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**31


def _sets(path: Path, asked: Asked, rows: Iterable[tuple[int, str, int, str | None]]) -> ForeignSets:
    target, found = asked.target, dict[str | None, dict[Place, list[int]]]()
    for number, (layer, structure, index, language) in enumerate(rows):
        if number >= _MOST_ROWS:
            raise InputError(f"{path} is too large", found=f"over {_MOST_ROWS:,} rows")
        if structure not in STRUCTURES or layer >= target.shape.layers or not target.size(layer, structure):
            raise InputError(
                f"{path} does not fit the model", found=f"layer {layer}, {structure}", expected=str(target.shape)
            )
        found.setdefault(language, {}).setdefault((layer, structure), []).append(index)
    if not found:
        raise damaged(path, "no row", "a row for each neuron")
    return ForeignSets(
        {
            language: {
                place: checked_indices(path, f"layer {place[0]}, {place[1]}", indices, target.size(*place))
                for place, indices in places.items()
            }
            for language, places in _named(path, asked, found).items()
        }
    )


def _named(
    path: Path, asked: Asked, found: Mapping[str | None, dict[Place, list[int]]]
) -> dict[str, dict[Place, list[int]]]:
    """Return the languages that are wanted under their tags."""
    if None in found:
        if len(found) > 1:
            raise damaged(path, "rows with a language and rows without", "one or the other")
        (language,) = asked.languages_for(1, path)
        return {language: found[None]}
    tags: dict[str, dict[Place, list[int]]] = {}
    for name, places in found.items():
        tag = tag_of(str(name).strip())
        if tag is None or tag in tags:
            raise damaged(path, f"the language {name!r}", "tags such as de, each in one spelling")
        tags[tag] = places
    if missing := [language for language in asked.languages if language not in tags]:
        raise InputError(
            f"{path} has no neurons of {' '.join(missing)}", found=" ".join(tags), expected="some of these"
        )
    return {language: tags[language] for language in asked.languages or tags}


CSV = ForeignFormat("csv", "layer,structure,index[,language], a row a neuron", read_csv, write_csv)
JSON = ForeignFormat("json", "a list of objects with these names", read_json, write_json)
