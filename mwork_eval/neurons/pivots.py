"""Which language a set was made against: what it says of itself, and whether that is the one it is compared with."""

import logging
from collections.abc import Iterable, Mapping

from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.neuron_set import NeuronSet

log = logging.getLogger(__name__)


def recorded_pivot(neurons: NeuronSet) -> str | None:
    """Return the language whose neurons were taken away from a set; None if that is no single one, or not told."""
    selection = neurons.about.get("selection")
    if not isinstance(selection, Mapping):
        return None
    pivot = {"english": ENGLISH, "pivot": selection.get("pivot")}.get(str(selection.get("specific")))
    return pivot if isinstance(pivot, str) else None


def check_made_against(sets: Iterable[tuple[str, NeuronSet]], pivot: str, *, force: bool) -> None:
    """Check that sets were not made against another language than the one they are compared with.

    Args:
        sets: The sets, each with its name.
        pivot: The language they are compared with.
        force: Whether another one is a warning.

    Raises:
        InputError: If a set says another one.
    """
    for name, neurons in sets:
        if (own := recorded_pivot(neurons)) in (None, pivot):
            continue
        problem = f"the set of {name} lacks neurons of {Pivot(str(own)).name}, and ∆ compares with {Pivot(pivot).name}"
        if not force:
            raise InputError(
                problem,
                found=f"a set against {own}",
                expected=f"sets against {pivot}",
                hint=f"select them with `pivot={pivot}`, compare with `pivot={own}`, or accept them with `force`",
            )
        log.warning("%s", problem)
