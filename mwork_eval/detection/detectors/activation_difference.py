"""Difference of mean activations: how far a neuron's activation in a language is from that in others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mwork_eval.detection.detectors.contrasts import Against, contrasts, mean_of
from mwork_eval.detection.detectors.detector import Arguments, arguments_of
from mwork_eval.detection.detectors.pool import Floats, Pool, sets_of_orders, strongest_first
from mwork_eval.neurons.neuron_set import NeuronSet

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection


class DifferenceArguments(Arguments):
    """What it can be told.

    Attributes:
        against: The mean of `all` other languages, each counting the same, or of the `pivot`.
        standardized: Whether differences are divided by the standard deviation within a language (Cohen's d), so that
            layers and structures whose activations are large do not win by that.
    """

    against: Against = "all"
    standardized: bool = True


class ActivationDifference:
    """Takes the neurons of the largest absolute difference; which sign an activation has means nothing by itself."""

    needs = ("activations",)
    structures = ("q", "k", "v", "up")
    attention = ()
    rules = ("fraction", "count")
    arguments = DifferenceArguments
    cost = "1 forward"

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> dict[str, NeuronSet]:
        """Select each language's neurons against the others'."""
        given = arguments_of("activation-difference", selection.arguments)
        assert isinstance(given, DifferenceArguments)
        pool = Pool.of(tables, selection)
        orders = {
            table.about["language"]: strongest_first(_differences(pool, table, others, given.standardized))
            for table, others in contrasts(tables, selection, given.against)
        }
        return sets_of_orders(pool, orders, tables, selection)


DETECTOR = ActivationDifference()


def _differences(pool: Pool, table: "ScoreTable", others: "Sequence[ScoreTable]", standardized: bool) -> Floats:
    def mean(one: "ScoreTable") -> Floats:
        return pool.row(one, "activation_mean")

    def variance(one: "ScoreTable") -> Floats:
        return np.maximum(pool.row(one, "activation_square") - mean(one) ** 2, 0)

    apart = np.abs(mean(table) - mean_of(others, mean))
    if not standardized:
        return apart
    within = np.sqrt((variance(table) + mean_of(others, variance)) / 2)
    return np.divide(apart, within, out=np.zeros_like(apart), where=within > 0)
