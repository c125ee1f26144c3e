"""What a detector is, and which there are."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import misfit

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection
    from mwork_eval.neurons.neuron_set import NeuronSet

PLND = "plnd"
DETECTORS = {
    PLND: "mwork_eval.detection.detectors.plnd",
    "lape": "mwork_eval.detection.detectors.lape",
    "lape-lambda": "mwork_eval.detection.detectors.lape_lambda",
    "average-precision": "mwork_eval.detection.detectors.average_precision",
    "activation-difference": "mwork_eval.detection.detectors.activation_difference",
    "attribution": "mwork_eval.detection.detectors.attribution",
    "random": "mwork_eval.detection.detectors.random",
}
"""By name, the module whose `DETECTOR` it is."""


class Arguments(BaseModel):
    """What a detector can be told beside how many neurons; names and types are checked, and each has a default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Detector(Protocol):
    """A way to tell which neurons carry a language, from what a pass over the corpora recorded.

    Attributes:
        needs: Names of the records that it reads beside the scores of PLND.
        structures: The structures that it is defined for; sets hold their neurons.
        attention: Structures of attention that `attention=true` among its arguments extends it to; empty if there is
            no such argument.
        rules: Which of a selection's rules it knows: `fraction`, `top_k`, `threshold`, `count`.
        arguments: What it can be told.
        cost: What recording takes for a document, in words.
    """

    @property
    def needs(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def structures(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def attention(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def rules(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def arguments(self) -> type[Arguments]: ...  # noqa: D102

    @property
    def cost(self) -> str: ...  # noqa: D102

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> "dict[str, NeuronSet]":
        """Return the set of each language from the tables of all, which fit together; the strongest neurons first.

        Raises:
            InputError: If the rule does not fit, a language is missing, or a set is empty or too small.
        """


def find_detector(name: str) -> Detector:
    """Return a detector.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in DETECTORS:
        raise InputError("unknown detector", found=name, expected=f"one of {' '.join(DETECTORS)}")
    found: Detector = import_module(DETECTORS[name]).DETECTOR
    return found


def arguments_of(name: str, given: Mapping[str, Any]) -> Arguments:
    """Return a detector's arguments: those given, and else its defaults.

    Raises:
        InputError: If there is no such argument, or a value is of another type or out of range.
    """
    kind = find_detector(name).arguments
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        known = " ".join(f"{field}={_shown(one.default)}" for field, one in kind.model_fields.items()) or "none"
        raise InputError(f"unusable argument of the detector {name}", found=misfit(error), expected=known) from error


def _shown(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def lacking(name: str, tables: "Sequence[ScoreTable]") -> tuple[str, ...]:
    """Return the records that a detector needs and that some table lacks."""
    return tuple(
        need for need in find_detector(name).needs if any(need not in t.about.get("recorded", ()) for t in tables)
    )
