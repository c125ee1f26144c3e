"""Collect the statistics of documents as they come, in any order, in parts, and in several processes."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mwork_eval.detection.recording.registry import find_records
from mwork_eval.detection.recording.statistic import JOIN, Statistic
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.files.tensor_file import Array
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape


class ScoreAccumulator:
    """Collects what is recorded of documents; minima, maxima, counts and rows do not depend on the order of these.

    Attributes:
        shape: Neuron counts of the model.
        documents: Number of documents added.
        statistics: What is kept, by name.
    """

    def __init__(self, shape: ModelShape, recorded: Iterable[str] = ()) -> None:
        """Start with nothing.

        Args:
            shape: Neuron counts of the model.
            recorded: The records beside the scores.
        """
        self.shape = shape
        self.documents = 0
        self._records = find_records(recorded)
        self.statistics: dict[str, Statistic] = {one.name: one for record in self._records for one in record.statistics}
        self._joined: dict[str, dict[Place, Array]] = {name: {} for name in self.statistics}
        self._rows: dict[str, dict[Place, list[Array]]] = {
            name: {} for name, statistic in self.statistics.items() if statistic.merge == "rows"
        }

    @property
    def totals(self) -> Mapping[str, Mapping[Place, Array]]:
        """Per statistic and (layer, structure), its value so far `[neurons]`, or a row for each document.

        A place that nothing was seen of is missing.
        """
        for name, places in self._rows.items():
            for place, rows in places.items():
                if len(rows) > 1:  # joined once it is asked for, not with each document
                    rows[:] = [np.concatenate(rows)]
                self._joined[name][place] = rows[0]
        return self._joined

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
        self.join(observed, 1)

    def merge(self, other: "ScoreAccumulator") -> None:
        """Add another accumulator's documents."""
        self.join(other.totals, other.documents)

    def join(self, totals: Mapping[str, Mapping[Place, Array]], documents: int) -> None:
        """Add the statistics of a number of documents."""
        for name, statistic in self.statistics.items():
            for place, theirs in totals[name].items():
                if name in self._rows:
                    self._rows[name].setdefault(place, []).append(theirs.astype(statistic.dtype, copy=False))
                    continue
                mine = self._joined[name].get(place)
                if mine is None:
                    mine = self._joined[name][place] = np.full(theirs.shape, statistic.start, statistic.dtype)
                JOIN[statistic.merge](mine, theirs, out=mine)
        self.documents += documents

    def table(self, about: Mapping[str, Any]) -> ScoreTable:
        """Return what was recorded so far.

        Raises:
            ValueError: If no document was added.
        """
        if self.documents == 0:
            raise ValueError("no document was scored")
        values: dict[str, Mapping[Place, Array]] = {}
        told: dict[str, Any] = {"documents": self.documents}
        for record in self._records:
            values |= record.finish(self.totals, self.documents, self.shape)
            told |= record.about(self.totals, self.shape)
        return ScoreTable(self.shape, values, {**about, **told})
