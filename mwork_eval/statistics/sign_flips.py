"""The exact test of a change: had OLD and NEW changed places in any document, how large would the change be?"""

import math

import numpy as np

from mwork_eval.statistics.resampling import Array, permutation_p

_ROUNDING = 1e-9
"""Smaller differences come from the order of summation."""
_FEW = 13
"""So many differences have less than 10,000 sign patterns: each is tried, on the numbers as they are."""
_RESOLUTION = 200
"""Steps in a standard deviation of the sum, for differences that are no whole numbers."""
_STEPS = 4
"""Steps in the root mean square of a difference, at least, where there are very many of them."""
_REACH = 9.0
"""Standard deviations up to which the sum is followed; beyond them p is at most 5e-18 (Hoeffding 1963)."""


def sign_flip_p(differences: Array) -> float:
    """Return the two-sided p-value of a sum of paired differences, of which each could as well have the other sign.

    Nothing is drawn: the distribution of the sum over all sign patterns is built difference by difference (as Pagano
    and Tritchler 1983 do for permutations). Where every difference is one, right or wrong, it is the sign test, which
    on two answers a document is McNemar's exact test. More than a few differences that are no whole numbers are put on
    a grid for it, which changes p by about 1 %, upwards.

    Args:
        differences: `[observations]`, NEW - OLD, of observations that are independent. Those that are zero have no
            say.

    Raises:
        ValueError: If a difference is not finite.
    """
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    moved = differences[np.abs(differences) > _ROUNDING]
    if not len(moved):
        return 1.0
    whole = np.rint(moved)
    if np.allclose(moved, whole, rtol=0, atol=_ROUNDING):
        return _two_sided(whole, abs(float(whole.sum())))
    if len(moved) <= _FEW:
        return permutation_p(moved)
    length = float(np.linalg.norm(moved))
    steps = np.rint(moved * (max(_RESOLUTION, _STEPS * math.sqrt(len(moved))) / length))
    # Sums on the grid are two steps apart.
    found = abs(float(moved.sum())) * float(np.linalg.norm(steps)) / length - 1
    return _two_sided(steps[steps != 0], max(found, 0.0))


def moved_needed(level: float) -> int:
    """Return how many observations must change, all in one direction, before any change can have p < level."""
    return math.floor(1 - math.log2(level)) + 1


def _two_sided(steps: Array, found: float) -> float:
    """Return the share of sign patterns of whole numbers whose sum is at least as far from zero as a sum found."""
    sizes = np.abs(steps).astype(int)
    deviation = float(np.linalg.norm(sizes))
    reach = min(int(sizes.sum()), math.ceil(_REACH * deviation))
    first = math.ceil(found)
    if first == 0:
        return 1.0
    if first > reach:
        return 2 * math.exp(-((found / deviation) ** 2) / 2)
    # Of a symmetric distribution one half is enough: shares[s] is the share of patterns with the sum s >= 0.
    shares = np.zeros(reach + 1)
    shares[0] = 1.0
    for size in sizes:
        following = np.zeros_like(shares)
        following[size:] = shares[: reach + 1 - size]
        following[:size] = shares[size:0:-1]  # from the negative side: s - size < 0
        following[: reach + 1 - size] += shares[size:]
        shares = following / 2
    return float(min(1.0, 2 * shares[first:].sum()))
