"""The neurons of some structures of all layers in one row: what detectors compare that know no layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.neuron_set import NeuronSet, Place

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection
    from mwork_eval.neurons.shape import ModelShape

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """The neurons of some structures, layer after layer.

    Attributes:
        shape: Neuron counts of the model.
        places: Their (layer, structure), in the order of the row.
    """

    shape: "ModelShape"
    places: tuple[Place, ...]

    @classmethod
    def of(cls, tables: "Sequence[ScoreTable]", selection: "Selection") -> "Pool":
        """Return the neurons of the structures of a selection, as far as the model has them."""
        shape = tables[0].shape
        places = [(n, name) for name in selection.structures for n, sizes in enumerate(shape.sizes) if name in sizes]
        return cls(shape, tuple(places))

    @property
    def starts(self) -> Integers:
        """Index in the row of the first neuron of each place, and the number of neurons at the end."""
        sizes = [self.shape.sizes[layer][structure] for layer, structure in self.places]
        return np.cumsum([0, *sizes], dtype=np.int64)

    def __len__(self) -> int:
        """Number of neurons."""
        return int(self.starts[-1])

    def structures(self) -> dict[str, "Pool"]:
        """Return a pool per structure."""
        names = dict.fromkeys(structure for _, structure in self.places)
        return {name: Pool(self.shape, tuple(p for p in self.places if p[1] == name)) for name in names}

    def row(self, table: "ScoreTable", column: str) -> Floats:
        """Return a column of a table `[neurons]`."""
        values: Mapping[Place, Any] = getattr(table, column)
        return np.concatenate([values[place] for place in self.places]).astype(np.float64)

    def neurons(self, order: npt.ArrayLike, about: Mapping[str, Any]) -> NeuronSet:
        """Return the set of some neurons.

        Args:
            order: Their indices in the row, the strongest first.
            about: What the set says of itself.
        """
        chosen, starts = np.asarray(order, np.int64), self.starts
        which = np.searchsorted(starts, chosen, side="right") - 1
        indices = {
            place: (chosen[which == number] - starts[number]).astype(np.int32)
            for number, place in enumerate(self.places)
        }
        return NeuronSet(self.shape, indices, about)


def strongest_first(strengths: Floats) -> Integers:
    """Return the indices of finite strengths, the highest first; equal ones by index, the same on every machine."""
    order = np.argsort(-strengths, kind="stable")
    return order[np.isfinite(strengths[order])]


def sets_of_orders(
    pool: Pool, orders: Mapping[str, Integers], tables: "Sequence[ScoreTable]", selection: "Selection"
) -> dict[str, NeuronSet]:
    """Return the first neurons of each language: as many as the selection says; of the pivot none if it has too few.

    Args:
        pool: The neurons.
        orders: By language, indices of those that can be selected, the strongest first.
        tables: The tables of all languages.
        selection: The rule: a count, or a fraction of the pool.

    Raises:
        InputError: If another language has too few, or none.
    """
    about = {table.about["language"]: table.about for table in tables}
    count = selection.count or max(1, round((selection.fraction or 0.0) * len(pool)))
    sets = {}
    for language, order in orders.items():
        if len(order) < (count if selection.count else 1):
            if language == (selection.pivot or ENGLISH):
                continue  # the others need not do without theirs for it: no table has a mask of the pivot
            raise InputError(
                f"the detector {selection.detector} finds too few neurons of {language}",
                found=len(order),
                expected=f"{count}",
                hint="select fewer, or change its arguments or structures",
            )
        described = {**about[language], "selection": selection.to_json()}
        sets[language] = pool.neurons(order[:count], described)
    return sets
