"""How small a true difference a test finds."""

import math
from statistics import NormalDist

import numpy as np
from scipy import optimize, special, stats

from mwork_eval.statistics.draws import DrawTest
from mwork_eval.statistics.resampling import POWER
from mwork_eval.statistics.sign_flips import moved_needed

_STEPS = (np.arange(60) + 0.5) / 60
_MOST = 1e4
_FEWEST_DEGREES = 4
_FARTHEST = 1000.0
"""Standard errors beyond which no drop is looked for."""


def smallest_found(test: DrawTest, level: float, power: float = POWER) -> float | None:
    """Return the smallest true difference that a two-sided t-test finds with some power in other samples.

    The set is this one: the difference varies with the documents and the draws' mean, while the test allows for
    the set as one more draw. The variance in the denominator varies as chi-squared with the test's degrees of freedom,
    and so does this sample's, from which the true one is judged: power is the mean over both, since with few draws
    the size for a variance taken as known would be found much less often.

    Args:
        test: The test, for its variances and degrees of freedom.
        level: Its level; that of the first of several p-values corrected by Holm's method is 5 % by their number.
        power: How often the difference is found.

    Returns:
        None if the data have no variance, which tells nothing, or one of fewer than 4 degrees of freedom (fewer than 5
        draws, unless documents dominate), which hardly tells more.
    """
    if test.variance_of_set <= 0 or test.degrees < _FEWEST_DEGREES:
        return None
    share = np.sqrt(test.expected / test.variance_of_set)
    limit = -float(special.stdtrit(test.degrees, level / 2)) * share
    chi = np.sqrt(special.gammaincinv(test.degrees / 2, _STEPS) * 2 / test.degrees)
    limits = limit * chi[:, None]  # in standard errors of the difference, for each estimated variance
    truly = chi[None]  # this sample's standard error by the true one

    def lacking(effect: float) -> float:
        return float((special.ndtr(effect * truly - limits) + special.ndtr(-limits - effect * truly)).mean()) - power

    if lacking(_MOST) < 0:
        return None
    found = optimize.brentq(lacking, 0, _MOST, xtol=1e-4)
    return float(found) * float(np.sqrt(test.variance_of_set))


def detectable_drop(noise: float, step: float, documents: int, clusters: float, level: float) -> float | None:
    """Return the true drop that the test of sign flips finds in 80 % of runs, if the change is normally distributed.

    A drop widens what the test compares it with: it is part of the differences whose signs are flipped, and where it
    comes from some documents that lose a step each, which ones is chance.

    Args:
        noise: Standard error of the change without a drop.
        step: What a document loses that loses; 0 if all lose alike.
        documents: Number of documents.
        clusters: Number of clusters; infinite for a test that does not compare the drop with itself.
        level: The level of the two-sided test.

    Returns:
        The drop, in the unit of the noise; None if the test finds none however large.
    """
    needed, found = map(NormalDist().inv_cdf, (1 - level / 2, POWER))

    def margin(drop: float) -> float:
        variance = noise**2 + max(0.0, drop * step - drop**2) / documents
        return drop - needed * math.sqrt(variance + drop**2 / clusters) - found * math.sqrt(variance)

    farthest = step or _FARTHEST * noise
    if margin(farthest) <= 0:
        return None
    return float(optimize.brentq(margin, 1e-9 * farthest, farthest))


def detectable_loss(documents: int, clusters: int, level: float) -> float | None:
    """Return the share of documents that must be lost, none being won, for the sign test to tell in 80 % of runs.

    Enough clusters must lose a document (`moved_needed`), and how many do is binomially distributed. Where documents
    change in both directions, more are needed.

    Returns:
        The share, or None if there are fewer clusters than must change.
    """
    needed = moved_needed(level)
    if clusters < needed:
        return None
    share_of_clusters = float(stats.beta.ppf(POWER, needed, clusters - needed + 1))
    return 1 - math.exp(math.log1p(-share_of_clusters) * clusters / documents)
