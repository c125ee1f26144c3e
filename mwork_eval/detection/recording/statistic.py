"""A number per neuron that is kept over documents, and how those of several documents become one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from mwork_eval.files.tensor_file import Array
    from mwork_eval.neurons.neuron_set import Place

    Observation = Mapping[str, Mapping[Place, Array]]
    """Of one document or of many: per statistic and (layer, structure), an array `[neurons]`."""

CORPUS: "Place" = (0, "corpus")
"""The place of a statistic of a document itself, `[1]`: such as its number of tokens."""


@dataclass(frozen=True)
class Statistic:
    """A number per neuron that is kept over documents.

    Attributes:
        name: Its name, also in files.
        dtype: Its numpy type.
        start: Its value before the first document.
        merge: How that of two documents, or of two groups of them, becomes one. `rows` keeps all: a row for each
            document, `[documents, neurons]`, in the order in which they came.
    """

    name: str
    dtype: str
    start: float
    merge: Literal["min", "sum", "max", "rows"]


JOIN: dict[str, Callable[..., "Array"]] = {"min": np.minimum, "sum": np.add, "max": np.maximum}
"""By merge, what joins two arrays of one shape; rows are put one below the other."""
