"""What was recorded over a corpus, finished: the table and its file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from mwork_eval.detection.recording.places import places_with_activations
from mwork_eval.detection.recording.registry import RECORDED, find_records
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import Array, TensorHead, digest_of_arrays, read_arrays, read_head, write_tensors
from mwork_eval.hub.download import SCORES, fetch_folder
from mwork_eval.hub.reference import is_hub
from mwork_eval.neurons.about import About, CorpusValue
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape, ShapeValue
from mwork_eval.neurons.structures import STRUCTURES

FORMAT = "mwork-scores"
VERSION = 2
"""That of files with records beside the scores; files without are of version 1."""
IMPORTED = "imported"
"""The method of a table of another tool's statistics: it has the columns that its file has, and no scores."""
_HINT = "run `detect` again"


@dataclass(frozen=True)
class ScoreTable:
    """Scores of every neuron over the documents of one language.

    Attributes:
        shape: Neuron counts of the model.
        values: Per column and (layer, structure), an array `[neurons]` or `[documents, neurons]`. A column is an
            attribute, too: `minimum`, `mean` and `worst_rank` always, others with the records of ``about["recorded"]``.
        about: Language, model, fingerprint, corpus, method and counts.
    """

    shape: ModelShape
    values: Mapping[str, Mapping[Place, Array]]
    about: Mapping[str, Any]

    def __getattr__(self, name: str) -> Mapping[Place, Array]:
        values: Mapping[str, Mapping[Place, Array]] = self.__dict__.get("values", {})  # none while it is unpickled
        about: Mapping[str, Any] = self.__dict__.get("about", {})
        if name not in values and not name.startswith("_") and about.get("method") == IMPORTED:
            raise InputError(
                f"imported statistics of {about['language']} have no {name}",
                found=" ".join(values),
                expected="a detector that needs these alone, such as lape",
            )
        if name not in values:
            raise AttributeError(f"a table of scores has no {name!r}")
        return values[name]

    def save(self, path: Path) -> None:
        """Write the table to a safetensors file, whole or not at all."""
        arrays = {
            _name(place, column): array for column, places in self.values.items() for place, array in places.items()
        }
        description = {
            "shape": self.shape.to_json(),
            "about": dict(self.about),
            "digest": digest_of_arrays(arrays.items()),
        }
        version = VERSION if self.about.get(RECORDED) else 1
        write_tensors(path, (FORMAT, version), description, arrays)

    @classmethod
    def load(cls, path: Path) -> "ScoreTable":
        """Read a table.

        Raises:
            InputError: If the file is missing, damaged, incomplete or of a method that is not known.
        """
        head = read_head(path, _ScoresHead, (FORMAT, VERSION), oldest=1)
        shape, arrays = head.shape.shape, read_arrays(path)
        check_arrays(path, arrays, head.digest)
        found: dict[str, dict[Place, Array]] = {}
        for column, place, size in _expected(shape, head.about):
            found.setdefault(column, {})[place] = usable(path, arrays, _name(place, column), size)
        for name, array in arrays.items():  # what belongs to no matrix of the model, such as the residual stream
            if (match := _NAME.fullmatch(name)) is not None:
                place, column = (int(match["layer"]), match["structure"]), match["column"]
                found.setdefault(column, {}).setdefault(place, usable(path, arrays, name, array.shape))
        if head.about.method == IMPORTED:
            found = {column: _Imported(places) for column, places in found.items()}
        return cls(shape, found, head.about.values)


class _Imported(dict[Place, Array]):
    """A column of another tool's statistics, which need not have all places of the model."""

    def __missing__(self, place: Place) -> Array:
        raise InputError(
            "imported statistics do not have all structures",
            found=f"none of layers.{place[0]}.{place[1]}",
            expected=" ".join(dict.fromkeys(structure for _, structure in self)),
        )


_NAME = re.compile(r"layers\.(?P<layer>\d+)\.(?P<structure>\w+)\.(?P<column>\w+)")


def _name(place: Place, column: str) -> str:
    return f"layers.{place[0]}.{place[1]}.{column}"


def _expected(shape: ModelShape, about: "_ScoredAbout") -> Iterator[tuple[str, Place, tuple[int, ...]]]:
    """Yield the columns that a file must hold, by place, and the shapes of their arrays."""
    if about.method == IMPORTED:
        for layer, sizes in enumerate(shape.sizes):
            if "up" in sizes:
                yield "over_zero", (layer, "up"), (sizes["up"],)
        return
    scores, *others = find_records(about.recorded)
    for column in scores.columns:
        for layer, structure in places_of(shape):
            yield column, (layer, structure), (shape.sizes[layer][structure],)
    for record in others:
        rows = (about.documents,) if record.by_document else ()
        for column in record.columns:
            for layer, structure in places_with_activations(shape):
                yield column, (layer, structure), (*rows, shape.sizes[layer][structure])


class _ScoredAbout(About):
    """What scores say of themselves at least."""

    fingerprint: str | None
    language: str
    method: str
    corpus: CorpusValue
    documents: Annotated[int, Field(ge=1)]
    tokens: int
    recorded: tuple[str, ...] = ()


class _ScoresHead(TensorHead):
    """What a file of scores says; those of earlier versions have no digest."""

    shape: ShapeValue
    about: _ScoredAbout
    digest: str | None = None


def check_arrays(path: Path, arrays: Mapping[str, Array], digest: str | None) -> None:
    """Raise unless arrays are those a file was written with.

    Raises:
        InputError: If their digest is another.
    """
    if digest is not None and digest != (found := digest_of_arrays(arrays.items())):
        raise InputError(f"{path} is damaged", found=f"digest {found[:12]}", expected=digest[:12], hint=_HINT)


def usable(path: Path, arrays: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    """Return an array of a file of scores, finite numbers of a shape.

    Raises:
        InputError: If it is missing, or something else.
    """
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype.kind not in "fiu":
        found = "none" if array is None else f"{array.dtype} {list(array.shape)}"
    elif not np.isfinite(array).all():
        found = "nan or infinity"
    else:
        return array
    raise InputError(
        f"{path} is incomplete", found=f"{name}: {found}", expected=f"{' x '.join(map(str, shape))} numbers", hint=_HINT
    )


def places_of(shape: ModelShape) -> Iterator[Place]:
    """Yield every (layer, structure) of a model."""
    for layer, sizes in enumerate(shape.sizes):
        for structure in STRUCTURES:
            if structure in sizes:
                yield layer, structure


def load_score_tables(folder: Path) -> list[ScoreTable]:
    """Read the scores of all languages of a detection.

    Args:
        folder: What `mwork detect` wrote to, or a repository on the hub (`hub:USER/NAME`); the scores are in its
            `scores`.

    Raises:
        InputError: If there are none, or one is damaged.
        NotReachedError: If they are on the hub, and there is no way to it.
    """
    if is_hub(folder.as_posix()):
        return [ScoreTable.load(file) for file in fetch_folder(folder.as_posix(), kind=SCORES).files]
    files = sorted((folder / "scores").glob("*.safetensors"))
    if not files:
        raise InputError(f"{folder} has no scores", found=f"no {folder}/scores/*.safetensors", hint="run `detect`")
    return [ScoreTable.load(file) for file in files]
