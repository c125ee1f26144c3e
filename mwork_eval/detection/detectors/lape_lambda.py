"""LAPE with a reward for high shares (NJUNLP, AAAI 2026): entropy minus λ times the largest share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from mwork_eval.detection.detectors.detector import Arguments, arguments_of
from mwork_eval.detection.detectors.lape import (
    Assigned,
    activation_shares,
    assigned_sets,
    check_languages,
    entropy_of,
)
from mwork_eval.detection.detectors.pool import Floats, Pool
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection

_SEARCHED = (0.0, 0.2)
_STEP = 1e-3
"""Where λ is searched for, and how exactly."""


class LambdaArguments(Arguments):
    """What it can be told.

    Attributes:
        weight: λ; the largest one between 0 and 0.2 with which no neuron among the first `rate` belongs to all
            languages, if not given.
        rate: The fraction of neurons that λ is searched with where the selection is by `count`.
        bar: As LAPE's.
    """

    weight: float | None = Field(None, ge=0)
    rate: float = Field(0.01, gt=0, le=1)
    bar: float = Field(0.95, gt=0, le=1)


class LapeLambda:
    """Takes the neurons of the lowest H/ln K - λ · max p / ((1/K) Σ 1/k), k from 1 to the number K of languages."""

    needs = ("activations",)
    structures = ("up",)
    attention = ()
    rules = ("fraction", "count")
    arguments = LambdaArguments
    cost = "1 forward"

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> dict[str, NeuronSet]:
        """Select of all languages at once, as LAPE does.

        Raises:
            InputError: If with no λ the first neurons are free of those that belong to all languages.
        """
        given = arguments_of("lape-lambda", selection.arguments)
        assert isinstance(given, LambdaArguments)
        check_languages(tables, selection)
        pool = Pool.of(tables, selection)
        shares = activation_shares(pool, tables)
        weight = given.weight
        if weight is None:
            weight = _largest_weight(Assigned(pool, shares, shares[:, 0], given.bar), selection.fraction or given.rate)
        chosen = replace(selection, arguments={**selection.arguments, "weight": weight})
        return assigned_sets([Assigned(pool, shares, _weaknesses(shares, weight), given.bar)], tables, chosen)


DETECTOR = LapeLambda()


def _weaknesses(shares: Floats, weight: float) -> Floats:
    languages = shares.shape[-1]
    most = sum(1 / k for k in range(1, languages + 1)) / languages
    found: Floats = entropy_of(shares) / np.log(languages) - weight * shares.max(-1) / most
    return found


def _largest_weight(neurons: Assigned, fraction: float) -> float:
    """Return the largest λ with which none of the first neurons belongs to all languages, by bisection.

    Raises:
        InputError: If there is none.
    """
    of_all = np.asarray(neurons.belongs.all(-1))

    def is_free(weight: float) -> bool:
        tried = replace(neurons, weaknesses=_weaknesses(neurons.shares, weight))
        return not of_all[tried.first(fraction)].any()

    low, high = _SEARCHED
    best = high if is_free(high) else low if is_free(low) else None
    while best != high and high - low > _STEP:
        middle = (low + high) / 2
        if is_free(middle):
            best = low = middle
        else:
            high = middle
    if best is None:
        raise InputError(
            "with no λ the first neurons are free of those that belong to all languages",
            found=f"λ from {_SEARCHED[0]} to {_SEARCHED[1]}",
            expected="a lower `fraction` or rate, a higher bar, or a weight",
        )
    return best
