"""Average precision (Kojima et al. 2024, arXiv:2404.02431): how well a neuron's mean activation tells a language.

A neuron's response to a text is its mean activation over the text's tokens. As a classifier of the language's texts
against the others' it has an average precision. The neurons of the highest and of the lowest are the language's.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mwork_eval.detection.detectors.contrasts import Against, contrasts
from mwork_eval.detection.detectors.detector import Arguments, arguments_of
from mwork_eval.detection.detectors.pool import Floats, Integers, Pool, sets_of_orders, strongest_first
from mwork_eval.neurons.neuron_set import NeuronSet

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection


class PrecisionArguments(Arguments):
    """What it can be told.

    Attributes:
        against: Whose texts are the others: those of `all` other languages, or of the `pivot`.
        ends: `both`, half of the neurons from the highest and half from the lowest precision, or the `top` alone.
        attention: Also q, k, v, whose response is the mean of their projection.
    """

    against: Against = "all"
    ends: Literal["both", "top"] = "both"
    attention: bool = False


class AveragePrecision:
    """Takes the neurons whose responses tell the language best."""

    needs = ("responses",)
    structures = ("up",)
    attention = ("q", "k", "v")
    rules = ("fraction", "count")
    arguments = PrecisionArguments
    cost = "1 forward"

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> dict[str, NeuronSet]:
        """Select each language's neurons against the others'."""
        given = arguments_of("average-precision", selection.arguments)
        assert isinstance(given, PrecisionArguments)
        pool = Pool.of(tables, selection)
        orders = {}
        for table, others in contrasts(tables, selection, given.against):
            precisions = _precisions(pool, table, others)
            top = strongest_first(precisions)
            bottom = strongest_first(-precisions)
            orders[table.about["language"]] = top if given.ends == "top" else _by_turns(top, bottom)
        return sets_of_orders(pool, orders, tables, selection)


DETECTOR = AveragePrecision()


def _by_turns(first: Integers, second: Integers) -> Integers:
    """Return one of each by turns, none twice."""
    both = np.stack([first, second], -1).ravel()
    _, where = np.unique(both, return_index=True)
    return both[np.sort(where)]


def _precisions(pool: Pool, table: "ScoreTable", others: "Sequence[ScoreTable]") -> Floats:
    found = []
    for place in pool.places:
        own, theirs = table.responses[place], [other.responses[place] for other in others]
        labels = np.repeat([True, False], [len(own), sum(map(len, theirs))])
        found.append(average_precisions(np.concatenate([own, *theirs]), labels))
    return np.concatenate(found)


def average_precisions(responses: npt.NDArray[np.float32], labels: npt.NDArray[np.bool_]) -> Floats:
    """Return the average precision of many classifiers: Σ (R_n - R_{n-1}) P_n over the distinct thresholds.

    Equal responses are one threshold, so that the order of texts does not count.

    Args:
        responses: `[texts, neurons]`.
        labels: Whether each text is of the language `[texts]`; at least one is.

    Returns:
        `[neurons]`, from 0 to 1.
    """
    rows = np.ascontiguousarray(responses.T)  # sorting along the last axis is twice as fast
    texts = rows.shape[1]
    order = np.argsort(-rows, -1, kind="stable")
    ordered, own = np.take_along_axis(rows, order, -1), labels[order]
    precision = np.cumsum(own, -1) / np.arange(1, texts + 1)
    # Each text's threshold is passed at the last of the texts that are equal to it.
    ends = np.ones(rows.shape, bool)
    ends[:, :-1] = ordered[:, :-1] != ordered[:, 1:]
    last = np.where(ends, np.arange(texts), texts)
    last = np.minimum.accumulate(last[:, ::-1], -1)[:, ::-1]
    found: Floats = (np.take_along_axis(precision, last, -1) * own).sum(-1) / labels.sum()
    return found
