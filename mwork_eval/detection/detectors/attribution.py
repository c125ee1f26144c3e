"""Attribution: |activation x gradient of the mean token log-probability|: what zeroing costs, to first order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from mwork_eval.detection.detectors.contrasts import Against, contrasts, mean_of
from mwork_eval.detection.detectors.detector import Arguments, arguments_of
from mwork_eval.detection.detectors.lape import Assigned, assigned_sets, check_languages, entropy_of, quantile
from mwork_eval.detection.detectors.pool import Floats, Pool, sets_of_orders, strongest_first
from mwork_eval.neurons.neuron_set import NeuronSet

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection


class AttributionArguments(Arguments):
    """What it can be told.

    Attributes:
        by: `difference`, the attribution in a language minus that in others; or `entropy`, LAPE's algorithm with
            attributions in place of shares of tokens.
        against: With `difference`, the mean of `all` other languages or the `pivot`.
        filter: With `entropy`, as LAPE's.
        bar: With `entropy`, as LAPE's.
    """

    by: Literal["difference", "entropy"] = "difference"
    against: Against = "all"
    filter: float = Field(0.95, gt=0, le=1)
    bar: float = Field(0.95, gt=0, le=1)


class Attribution:
    """Takes the neurons that matter more for the language's text than for others'."""

    needs = ("attributions",)
    structures = ("q", "k", "v", "up")
    attention = ()
    rules = ("fraction", "count")
    arguments = AttributionArguments
    cost = "1 forward, 1 backward"

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> dict[str, NeuronSet]:
        """Select each language's neurons against the others', or of all languages at once."""
        given = arguments_of("attribution", selection.arguments)
        assert isinstance(given, AttributionArguments)
        pool = Pool.of(tables, selection)
        if given.by == "difference":
            orders = {
                table.about["language"]: strongest_first(
                    _of(pool, table) - mean_of(others, lambda other: _of(pool, other))
                )
                for table, others in contrasts(tables, selection, given.against)
            }
            return sets_of_orders(pool, orders, tables, selection)
        check_languages(tables, selection)
        parts = []
        for own in pool.structures().values():
            found = np.stack([_of(own, table) for table in tables], -1)
            used = (found > quantile(found, given.filter)).any(-1)
            parts.append(Assigned(own, found, np.where(used, entropy_of(found), np.inf), given.bar))
        return assigned_sets(parts, tables, selection)


DETECTOR = Attribution()


def _of(pool: Pool, table: "ScoreTable") -> Floats:
    return pool.row(table, "attribution")
