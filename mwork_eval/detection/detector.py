"""What a detector is: how it selects neurons from finished tables; and which there are."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection
    from mwork_eval.neurons.neuron_set import NeuronSet

DETECTORS = dict.fromkeys(("exact", "paper", "reference"), "mwork_eval.detection.plnd")
"""By method, the module of the detector that has it; the module's `DETECTOR` is one. Score files name their method."""


class Detector(Protocol):
    """A way to tell which neurons carry a language."""

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> "dict[str, NeuronSet]":
        """Return the set of each language from the tables of all; they fit together.

        Raises:
            InputError: If the rule does not fit the detector, a language is missing, or a set is empty.
        """


def find_detector(method: str) -> Detector:
    """Return the detector that has a method.

    Raises:
        InputError: If none has.
    """
    if method not in DETECTORS:
        raise InputError("unknown method of detection", found=method, expected=" or ".join(DETECTORS))
    found: Detector = import_module(DETECTORS[method]).DETECTOR
    return found
