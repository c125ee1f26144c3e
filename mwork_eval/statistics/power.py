"""How small a true difference a test finds."""

import numpy as np
from scipy import optimize, special

from mwork_eval.statistics.draws import DrawTest
from mwork_eval.statistics.resampling import POWER

_STEPS = (np.arange(60) + 0.5) / 60
_MOST = 1e4
_FEWEST_DEGREES = 4


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
