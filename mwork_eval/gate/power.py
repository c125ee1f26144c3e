"""What the gate can find: the smallest true drop that fails in 80 % of runs."""

import math

from scipy import stats

from mwork_eval.ablation.statistics import POWER
from mwork_eval.gate.sign_flips import moved_needed


def detectable_change(standard_error: float, level: float) -> float:
    """Return the true change that a two-sided test finds in 80 % of runs, if the change is normally distributed."""
    return standard_error * float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER))


def detectable_loss(documents: int, clusters: int, level: float) -> float | None:
    """Return the share of documents that must be lost, none being won, for the sign test to tell in 80 % of runs.

    Enough clusters must lose a document (`moved_needed`), and how many do is binomially distributed. A larger number
    of changes in both directions asks for more.

    Returns:
        The share, or None if there are fewer clusters than must change.
    """
    needed = moved_needed(level)
    if clusters < needed:
        return None
    share_of_clusters = float(stats.beta.ppf(POWER, needed, clusters - needed + 1))
    return 1 - math.exp(math.log1p(-share_of_clusters) * clusters / documents)
