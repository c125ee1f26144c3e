"""How small a true difference a test finds."""

import numpy as np
from scipy import optimize, special

from mwork_eval.ablation.draws import DrawTest
from mwork_eval.ablation.statistics import POWER

_STEPS = (np.arange(200) + 0.5) / 200


def smallest_found(test: DrawTest, level: float, power: float = POWER) -> float | None:
    """Return the smallest true difference that a two-sided t-test finds with some power.

    The set is this one: the numerator varies with the documents and the draws' mean, while the test allows for
    the set as one more draw. The variance in the denominator varies as chi-squared with the test's degrees of freedom.

    Args:
        test: The test, for its variances and degrees of freedom.
        level: Its level; that of the first of several p-values corrected by Holm's method is 5 % by their number.
        power: How often the difference is found.

    Returns:
        None if the data have no variance, which tells nothing.
    """
    if test.variance_of_set <= 0:
        return None
    needed = -float(special.stdtrit(test.degrees, level / 2)) * np.sqrt(test.variance / test.variance_of_set)
    limits = needed * np.sqrt(special.gammaincinv(test.degrees / 2, _STEPS) * 2 / test.degrees)

    def lacking(effect: float) -> float:
        return float((special.ndtr(effect - limits) + special.ndtr(-limits - effect)).mean()) - power

    found = optimize.brentq(lacking, 0, float(limits[-1]) + 10)
    return float(found) * float(np.sqrt(test.variance_of_set))
