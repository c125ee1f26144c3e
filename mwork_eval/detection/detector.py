"""What a detector is: how it observes documents, how its statistics are joined, how it selects; and which there are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.files.tensor_file import Array
    from mwork_eval.models.layout import Layout
    from mwork_eval.neurons.neuron_set import Place

    Observation = Mapping[str, Mapping[Place, Array]]
    """Of one document: per statistic and (layer, structure), an array `[neurons]`."""

DETECTORS = dict.fromkeys(("exact", "paper", "reference"), "mwork_eval.detection.plnd")
"""By method, the module of the detector that has it; the module's `DETECTOR` is one. Score files name their method."""


@dataclass(frozen=True)
class Statistic:
    """A number per neuron that is kept over documents.

    Attributes:
        name: Its name, also in files.
        dtype: Its numpy type.
        start: Its value before the first document.
        merge: How that of two documents, or of two groups of them, becomes one.
    """

    name: str
    dtype: str
    start: float
    merge: Literal["min", "sum", "max"]


class Observer(Protocol):
    """A detector at work in one model."""

    def observe(self, documents: "Sequence[Sequence[int]]") -> "Iterator[Observation]":
        """Yield what each document shows, by statistic; they go through the model together.

        Args:
            documents: Token ids of each.
        """


class Detector(Protocol):
    """A way to tell which neurons carry a language.

    Attributes:
        statistics: What is kept over documents.
        columns: What a finished table holds.
    """

    @property
    def statistics(self) -> tuple[Statistic, ...]: ...  # noqa: D102

    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102

    def observer(self, layout: "Layout", method: str, memory: int) -> Observer:
        """Get ready to observe a model.

        Args:
            layout: The model.
            method: One of the detector's methods.
            memory: Bytes that observing may take apart from the model and its forward pass.
        """

    def finish(self, totals: "Observation", documents: int) -> "Observation":
        """Return the columns of a table from the statistics over a number of documents, at least one."""


def find_detector(method: str) -> Detector:
    """Return the detector that has a method.

    Raises:
        InputError: If none has.
    """
    if method not in DETECTORS:
        raise InputError("unknown method of detection", found=method, expected=" or ".join(DETECTORS))
    found: Detector = import_module(DETECTORS[method]).DETECTOR
    return found
