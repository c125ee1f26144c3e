"""The difference of two masks' ∆ on the same documents: what one does to a document beside what the other does."""

from mwork_eval.results.deltas import MaskEffect
from mwork_eval.statistics.clustered import estimate
from mwork_eval.statistics.resampling import Estimate


def paired_difference(one: MaskEffect, other: MaskEffect) -> Estimate:
    """Return ∆ of one mask less ∆ of another, with its interval over documents.

    What both do to a document cancels, and the baseline does; so the interval is narrower than those of the two.

    Args:
        one: What the first does; of several runs, their mean.
        other: What the other does, to the same documents of the same languages, with the same baseline.
    """
    pairs = [
        [mine.mean(0) - theirs.mean(0) for mine, theirs in zip(*parts, strict=True)]
        for parts in ((one.contributions(), other.contributions()), (one.own_changes(), other.own_changes()))
    ]
    return estimate(float(one.deltas.mean() - other.deltas.mean()), one.clustering(), *pairs)
