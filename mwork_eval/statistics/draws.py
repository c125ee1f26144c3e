"""Whether one set does more than random sets do, with documents and draws both taken as samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mwork_eval.statistics.clustered import FEWEST_CLUSTERS, Clustering, imagined
from mwork_eval.statistics.resampling import Array, permutation_p

FEWEST_DRAWS = 2
"""One draw has no variance between draws."""
_EXACT_BELOW = 20
"""With fewer clusters that moved, the p-value is not below that of the exact test over documents either."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class DrawTest:
    """A set against the mean of several random draws.

    Attributes:
        difference: The set's number less the mean of the draws'.
        variance: Of the difference, if the set is one more draw.
        degrees: Degrees of freedom of the variance.
        expected: What the variance is in other samples, as far as this one tells: draws that happen to agree better
            than their documents allow are not believed to do so again.
        variance_of_set: Of the difference for this very set: documents and the draws' mean.
        p: Two-sided p-value.
    """

    difference: float
    variance: float
    degrees: float
    expected: float
    variance_of_set: float
    p: float


def against_draws(
    clustering: Clustering, parts: Sequence[Array], draws: Sequence[Array], moved: Sequence[Array]
) -> DrawTest | str:
    """Test a set against random draws, of which it is one more under the null hypothesis.

    Documents and sets are crossed random effects: a set's number is the mean over documents of an effect of the set,
    one of the document (which cancels in differences) and one of both together. With m draws, whose numbers have the
    variance S2 (which holds the draws' part of both together, T2), and X2 the variance over documents of the
    difference, the variance of the difference is

        S2 (1 + 1/m) + X2 - T2 (1 + 1/m),    at least half of the first term

    The first term is that of one case against a sample (Crawford and Howell 1998, doi:10.1076/clin.12.4.482.7241; t
    with m - 1 degrees of freedom), the others are what this set adds where it moves more documents than the draws do.
    The degrees of freedom are Satterthwaite's (1946), at least m - 1. The moment estimator of the variance between
    sets, S2 - T2, is not cut off at 0: that makes p too large where sets do not differ, and together with the degrees
    of freedom of documents too small where they do.

    Answers right or wrong move few documents, and t is for sums of many: where fewer than 20 clusters moved, or all
    moved alike, p is at least that of the permutation test over clusters, in which the set and the mean of the draws
    swap whole clusters in all languages.

    Args:
        clustering: The clusters of the documents.
        parts: Per language, all that each document adds to the set's number: `[documents]`.
        draws: The same for the draws, `[draws, documents]`; which draws of several languages are summed is
            given by their order, so that draws shared between languages count as one.
        moved: Per language, the difference of each document's own score: `[documents]`.

    Returns:
        The test, or why there is none.
    """
    count = len(draws[0])
    if count < FEWEST_DRAWS:
        return "one random draw does not tell how much draws differ; take at least 2, better 20"
    if clustering.smallest < FEWEST_CLUSTERS:
        return f"too few to tell: {clustering.smallest} clusters of documents"
    numbers = clustering.sums([np.vstack([own[None], drawn]) for own, drawn in zip(parts, draws, strict=True)])
    totals = numbers.sum(1)
    difference = float(totals[0] - totals[1:].mean())
    spread = clustering.spread(
        [
            clustering.centred(np.vstack([(own - drawn.mean(0))[None], drawn - drawn.mean(0)]), language)
            for language, (own, drawn) in enumerate(zip(parts, draws, strict=True))
        ]
    )
    changed = clustering.moved(moved)
    over_documents = float(spread.variance[0]) * imagined(changed, clustering.size)
    degrees = float(spread.degrees[0])
    between, both = float(totals[1:].var(ddof=1)), float(spread.variance[1:].sum()) / (count - 1)
    enlarged = 1 + 1 / count
    variance = between * enlarged + max(-between * enlarged / 2, over_documents - both * enlarged)
    if variance <= (_ROUNDING * max(1.0, abs(difference))) ** 2:
        variance = 0.0
    terms = (
        (between * enlarged) ** 2 / (count - 1)
        + over_documents**2 / degrees
        + (both * enlarged) ** 2 / (degrees * (count - 1))
    )
    freedom = min(max(variance**2 / terms, count - 1), count - 1 + degrees) if terms > 0 else count - 1.0
    p = float(2 * special.stdtr(freedom, -abs(difference) / np.sqrt(variance))) if variance else 0.0
    if not variance or (changed < _EXACT_BELOW and 2 * changed < clustering.size):
        p = max(p, permutation_p(numbers[0] - numbers[1:].mean(0)))
    of_sets = max(0.0, between - both)
    expected = over_documents + of_sets * enlarged if variance else 0.0
    return DrawTest(difference, variance, freedom, expected, expected - of_sets, min(p, 1.0))
