"""Scores over a corpus: what a detector keeps of each neuron while documents come, the finished table, and its file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from mwork_eval.detection.detector import Detector, find_detector
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import Array, TensorHead, digest_of_arrays, read_arrays, read_head, write_tensors
from mwork_eval.neurons.about import About, CorpusValue
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape, ShapeValue
from mwork_eval.neurons.structures import STRUCTURES

FORMAT = "mwork-scores"
VERSION = 1
_HINT = "run `detect` again"


@dataclass(frozen=True)
class ScoreTable:
    """Scores of every neuron over the documents of one language.

    Attributes:
        shape: Neuron counts of the model.
        values: Per column of the detector and (layer, structure), an array `[neurons]`. A column is an attribute, too:
            with PLND `minimum`, `mean` and `worst_rank`.
        about: Language, model, fingerprint, corpus, method and counts.
    """

    shape: ModelShape
    values: Mapping[str, Mapping[Place, Array]]
    about: Mapping[str, Any]

    def __getattr__(self, name: str) -> Mapping[Place, Array]:
        values: Mapping[str, Mapping[Place, Array]] = self.__dict__.get("values", {})  # none while it is unpickled
        if name not in values:
            raise AttributeError(f"a table of scores has no {name!r}")
        return values[name]

    def save(self, path: Path) -> None:
        """Write the table to a safetensors file, whole or not at all."""
        arrays = {
            f"layers.{layer}.{structure}.{column}": values[layer, structure]
            for layer, structure in places_of(self.shape)
            for column, values in self.values.items()
        }
        description = {
            "shape": self.shape.to_json(),
            "about": dict(self.about),
            "digest": digest_of_arrays(arrays.items()),
        }
        write_tensors(path, (FORMAT, VERSION), description, arrays)

    @classmethod
    def load(cls, path: Path) -> "ScoreTable":
        """Read a table.

        Raises:
            InputError: If the file is missing, damaged, incomplete or of a method that is not known.
        """
        head = read_head(path, _ScoresHead, (FORMAT, VERSION))
        shape, arrays = head.shape.shape, read_arrays(path)
        check_arrays(path, arrays, head.digest)
        columns = find_detector(head.about.method).columns
        found: dict[str, dict[Place, Array]] = {column: {} for column in columns}
        for layer, structure in places_of(shape):
            for column in columns:
                name = f"layers.{layer}.{structure}.{column}"
                found[column][layer, structure] = usable(path, arrays, name, shape.sizes[layer][structure])
        return cls(shape, found, head.about.values)


class _ScoredAbout(About):
    """What scores say of themselves at least."""

    fingerprint: str
    language: str
    method: str
    corpus: CorpusValue
    documents: Annotated[int, Field(ge=1)]
    tokens: int


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


def usable(path: Path, arrays: Mapping[str, Array], name: str, size: int) -> Array:
    """Return an array of a file of scores, one finite number per neuron.

    Raises:
        InputError: If it is missing, or something else.
    """
    array = arrays.get(name)
    if array is None or array.shape != (size,) or array.dtype.kind not in "fiu":
        found = "none" if array is None else f"{array.dtype} {list(array.shape)}"
    elif not np.isfinite(array).all():
        found = "nan or infinity"
    else:
        return array
    raise InputError(f"{path} is incomplete", found=f"{name}: {found}", expected=f"{size} numbers", hint=_HINT)


class ScoreAccumulator:
    """Collects a detector's statistics of documents; minima and maxima do not depend on the order of these.

    Attributes:
        shape: Neuron counts of the model.
        detector: Says what is kept and how it is joined.
        documents: Number of documents added.
        totals: Per statistic and (layer, structure), its value so far `[neurons]`.
    """

    def __init__(self, shape: ModelShape, detector: Detector) -> None:
        self.shape = shape
        self.detector = detector
        self.documents = 0
        self.totals: dict[str, dict[Place, Array]] = {
            one.name: {
                (layer, structure): np.full(shape.sizes[layer][structure], one.start, one.dtype)
                for layer, structure in places_of(shape)
            }
            for one in detector.statistics
        }

    def add(self, observed: Mapping[str, Mapping[Place, Array]]) -> None:
        """Add one document's statistics.

        Raises:
            ValueError: If a number is not finite; nothing is added.
        """
        checked: set[int] = set()  # several statistics and structures may share one array
        for places in observed.values():
            for (layer, structure), found in places.items():
                if id(found) not in checked and found.dtype.kind == "f" and not np.isfinite(found).all():
                    raise ValueError(f"a score of layers.{layer}.{structure} is not finite")
                checked.add(id(found))
        self._join(observed)
        self.documents += 1

    def merge(self, other: "ScoreAccumulator") -> None:
        """Add another accumulator's documents."""
        self._join(other.totals)
        self.documents += other.documents

    def _join(self, other: Mapping[str, Mapping[Place, Array]]) -> None:
        for statistic in self.detector.statistics:
            join, theirs = _JOIN[statistic.merge], other[statistic.name]
            for place, mine in self.totals[statistic.name].items():
                join(mine, theirs[place], out=mine)

    def table(self, about: Mapping[str, Any]) -> ScoreTable:
        """Return the scores so far.

        Raises:
            ValueError: If no document was added.
        """
        if self.documents == 0:
            raise ValueError("no document was scored")
        values = self.detector.finish(self.totals, self.documents)
        return ScoreTable(self.shape, values, {**about, "documents": self.documents})


_JOIN: dict[str, np.ufunc] = {"min": np.minimum, "sum": np.add, "max": np.maximum}


def places_of(shape: ModelShape) -> Iterator[Place]:
    """Yield every (layer, structure) of a model."""
    for layer, sizes in enumerate(shape.sizes):
        for structure in STRUCTURES:
            if structure in sizes:
                yield layer, structure


def load_score_tables(folder: Path) -> list[ScoreTable]:
    """Read the scores of all languages of a detection.

    Args:
        folder: What `mwork detect` wrote to; the scores are in its `scores`.

    Raises:
        InputError: If there are none, or one is damaged.
    """
    files = sorted((folder / "scores").glob("*.safetensors"))
    if not files:
        raise InputError(f"{folder} has no scores", found=f"no {folder}/scores/*.safetensors", hint="run `detect`")
    return [ScoreTable.load(file) for file in files]
