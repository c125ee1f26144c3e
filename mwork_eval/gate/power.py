"""What the gate can find: the smallest true drop that fails in 80 % of runs."""

import math
from statistics import NormalDist

from scipy import optimize, stats

from mwork_eval.statistics.resampling import POWER
from mwork_eval.statistics.sign_flips import moved_needed

_FARTHEST = 1000.0
"""Standard errors beyond which no drop is looked for."""


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
