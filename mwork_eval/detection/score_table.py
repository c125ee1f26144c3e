"""Scores over a corpus: what a detector keeps of each neuron while documents come, the finished table, and its file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from mwork_eval.detection.detector import Detector, find_detector
from mwork_eval.digests import canonical_json, write_atomically
from mwork_eval.errors import InputError
from mwork_eval.neurons.files import read_mwork_file
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.structures import STRUCTURES

FORMAT = "mwork-scores"
VERSION = 1

Array = npt.NDArray[Any]


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
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "shape": self.shape.to_json(),
            "about": dict(self.about),
        }
        write_atomically(path, lambda temporary: save_file(arrays, temporary, {"mwork": canonical_json(metadata)}))

    @classmethod
    def load(cls, path: Path) -> "ScoreTable":
        """Read a table.

        Raises:
            InputError: If the file is missing, damaged, incomplete or of a method that is not known.
        """
        metadata, arrays = read_mwork_file(path, FORMAT, VERSION, {"shape", "about"})
        shape = ModelShape.from_json(metadata["shape"])
        columns = find_detector(metadata["about"].get("method", "")).columns
        found: dict[str, dict[Place, Array]] = {column: {} for column in columns}
        for layer, structure in places_of(shape):
            for column in columns:
                name = f"layers.{layer}.{structure}.{column}"
                array = arrays.get(name)
                if array is None or array.shape != (shape.sizes[layer][structure],):
                    raise InputError(f"{path} is incomplete", found=f"no usable {name}", hint="run `detect` again")
                found[column][layer, structure] = array
        return cls(shape, found, metadata["about"])


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
