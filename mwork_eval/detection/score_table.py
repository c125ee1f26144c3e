"""Scores over a corpus: running minimum, mean and worst rank per neuron, and their file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from mwork_eval.digests import canonical_json, write_atomically
from mwork_eval.errors import InputError
from mwork_eval.neurons.files import read_mwork_file
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.structures import STRUCTURES

FORMAT = "mwork-scores"
VERSION = 1
STATISTICS = ("minimum", "mean", "worst_rank")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of every neuron over the documents of one language.

    Attributes:
        shape: Neuron counts of the model.
        minimum: Per (layer, structure), the smallest score over documents, float32 `[neurons]`. A neuron belongs
            to the language at threshold ε if its minimum is at least ε (Eq. 2).
        mean: Mean score over documents, float32 `[neurons]`.
        worst_rank: The worst rank within layer and structure over documents, int32 `[neurons]`, 0 is the highest
            score. A neuron is among the top k of every document if it is below k.
        about: Language, model, fingerprint, corpus, method and counts.
    """

    shape: ModelShape
    minimum: Mapping[Place, Array]
    mean: Mapping[Place, Array]
    worst_rank: Mapping[Place, Array]
    about: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the table to a safetensors file, whole or not at all."""
        arrays = {
            f"layers.{layer}.{structure}.{statistic}": getattr(self, statistic)[layer, structure]
            for layer, structure in places_of(self.shape)
            for statistic in STATISTICS
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
            InputError: If the file is missing, damaged or incomplete.
        """
        metadata, arrays = read_mwork_file(path, FORMAT, VERSION, {"shape", "about"})
        shape = ModelShape.from_json(metadata["shape"])
        found: dict[str, dict[Place, Array]] = {statistic: {} for statistic in STATISTICS}
        for layer, structure in places_of(shape):
            for statistic in STATISTICS:
                name = f"layers.{layer}.{structure}.{statistic}"
                array = arrays.get(name)
                if array is None or array.shape != (shape.sizes[layer][structure],):
                    raise InputError(
                        f"{path} is incomplete", found=f"no usable {name}", hint="run `mwork detect` again"
                    )
                found[statistic][layer, structure] = array
        return cls(shape, found["minimum"], found["mean"], found["worst_rank"], metadata["about"])


class ScoreAccumulator:
    """Collects the scores of documents, one at a time; minimum and worst rank do not depend on their order.

    Attributes:
        shape: Neuron counts of the model.
        documents: Number of documents added.
        minimum: Smallest score so far, float32.
        sum: Sum of the scores, float64.
        worst_rank: Worst rank so far, int32.
    """

    def __init__(self, shape: ModelShape) -> None:
        self.shape = shape
        self.documents = 0
        self.minimum: dict[Place, Array] = {}
        self.sum: dict[Place, Array] = {}
        self.worst_rank: dict[Place, Array] = {}
        for layer, structure in places_of(shape):
            size = shape.sizes[layer][structure]
            self.minimum[layer, structure] = np.full(size, np.inf, np.float32)
            self.sum[layer, structure] = np.zeros(size, np.float64)
            self.worst_rank[layer, structure] = np.zeros(size, np.int32)

    def add(self, scores: Mapping[Place, Array]) -> None:
        """Add one document's scores: per (layer, structure), float32 `[neurons]`.

        Raises:
            ValueError: If a score is not finite.
        """
        ranks: dict[int, Array] = {}  # gate, up and down share one array
        for place in places_of(self.shape):
            found = np.asarray(scores[place], np.float32)
            if id(scores[place]) not in ranks:
                if not np.isfinite(found).all():
                    raise ValueError(f"a score of layers.{place[0]}.{place[1]} is not finite")
                ranks[id(scores[place])] = _ranks(found)
            np.minimum(self.minimum[place], found, out=self.minimum[place])
            np.maximum(self.worst_rank[place], ranks[id(scores[place])], out=self.worst_rank[place])
            self.sum[place] += found
        self.documents += 1

    def merge(self, other: "ScoreAccumulator") -> None:
        """Add another accumulator's documents."""
        for place in places_of(self.shape):
            np.minimum(self.minimum[place], other.minimum[place], out=self.minimum[place])
            np.maximum(self.worst_rank[place], other.worst_rank[place], out=self.worst_rank[place])
            self.sum[place] += other.sum[place]
        self.documents += other.documents

    def table(self, about: Mapping[str, Any]) -> ScoreTable:
        """Return the scores so far.

        Raises:
            ValueError: If no document was added.
        """
        if self.documents == 0:
            raise ValueError("no document was scored")
        mean = {place: (total / self.documents).astype(np.float32) for place, total in self.sum.items()}
        return ScoreTable(self.shape, self.minimum, mean, self.worst_rank, {**about, "documents": self.documents})


def _ranks(scores: Array) -> Array:
    """Return the rank of every score, 0 for the highest; equal scores rank by index, the same on every machine."""
    ranks = np.empty(len(scores), np.int32)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores), dtype=np.int32)
    return ranks


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
        raise InputError(
            f"{folder} has no scores", found=f"no {folder}/scores/*.safetensors", hint="run `mwork detect`"
        )
    return [ScoreTable.load(file) for file in files]
