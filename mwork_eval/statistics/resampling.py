"""Intervals, p-values and what a number of documents can tell: statistics of any numbers, done by scipy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

RESAMPLES = 5000
PERMUTATIONS = 9999
LEVEL = 0.95
POWER = 0.8
SEED = 0

_BATCH = 1_000_000
"""Numbers in one batch of resamples or permutations; more would only cost memory."""
_ROUNDING = 1e-9
"""Smaller differences of scores come from the order of summation."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number and how sure it is.

    Attributes:
        value: The estimate.
        low: Lower end of its interval, or None if there is none.
        high: Upper end of its interval, or None likewise.
        standard_error: Its standard error, or None likewise.
        reason: Why it has no interval, where that is known.
    """

    value: float
    low: float | None
    high: float | None
    standard_error: float | None
    reason: str | None = None


def bootstrap(
    statistic: Callable[..., Array], sizes: Sequence[int], *, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Estimate]:
    """Estimate numbers from several samples, each resampled by itself.

    The interval is the expanded percentile interval (Hesterberg 2014, arXiv:1411.5279): percentiles whose level is
    widened for the smallest sample as Student's t widens the normal interval. On simulated paired scores of 20-60
    documents it covered 94-96 % (92-94 % for bits per byte of one language and 20-60 very unequal documents); plain
    percentiles and BCa were 1 to 4 points lower. Where resamples cannot differ, it has no width.

    Args:
        statistic: Takes, per sample, how often each of its observations counts, `[n, size]`, and returns the numbers
            to estimate, `[numbers, n]`.
        sizes: Number of observations per sample.
        resamples: Number of resamples.
        seed: Seed of the resampling. The same seed and sizes give the same resamples.

    Samples and their observations are taken as independent of each other. Parallel documents of several
    languages, or questions about one paragraph, are not: `clustered.estimate` is for them.
    """
    values = statistic(*(np.ones((1, size)) for size in sizes))[:, 0]
    if min(sizes) < 2:
        return [Estimate(float(value), None, None, None) for value in values]

    def of_indices(*indices: npt.NDArray[np.int64], axis: int) -> Array:
        return statistic(*map(_counts, indices, sizes))

    found = stats.bootstrap(
        [np.arange(size) for size in sizes],
        of_indices,
        n_resamples=resamples,
        batch=max(1, _BATCH // sum(sizes)),
        vectorized=True,
        confidence_level=_widened(LEVEL, min(sizes)),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return [
        Estimate(float(value), float(value), float(value), 0.0)
        if np.ptp(distribution) < _ROUNDING
        else Estimate(float(value), float(low), float(high), float(error))
        for value, distribution, low, high, error in zip(
            values, found.bootstrap_distribution, *found.confidence_interval, found.standard_error, strict=True
        )
    ]


def sum_by_cluster(values: Array, clusters: Sequence[str]) -> Array:
    """Sum what belongs together, so that each cluster counts as one observation.

    Args:
        values: `[..., documents]`.
        clusters: A key per document; documents of one key are summed.

    Returns:
        `[..., clusters]`, in the order in which the keys first occur.

    Raises:
        ValueError: If there is not a key for each value.
    """
    values = np.asarray(values, float)
    if values.shape[-1] != len(clusters):
        raise ValueError(f"{values.shape[-1]} values, {len(clusters)} cluster keys")
    numbers: dict[str, int] = {}
    places = np.array([numbers.setdefault(key, len(numbers)) for key in clusters], int)
    sums = np.zeros((len(numbers), *values.shape[:-1]))
    np.add.at(sums, places, np.moveaxis(values, -1, 0))
    return np.moveaxis(sums, 0, -1)


def permutation_p(differences: Array, *, permutations: int = PERMUTATIONS, seed: int = SEED) -> float:
    """Return the two-sided p-value of a sum of paired differences, of which each could as well have the other sign.

    Exact if there are no more sign patterns than `permutations`, else from a sample of them.

    Args:
        differences: `[pairs]`. Those that are zero have no say.
        permutations: Number of sign patterns tried.
        seed: Seed of their choice.

    Raises:
        ValueError: If a difference is not finite.
    """
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    moved = differences[np.abs(differences) > _ROUNDING / max(1, len(differences))]
    if len(moved) < 2:
        return 1.0

    # Rounded, so that sums that are equal but for rounding count as equal.
    def rounded_sum(values: Array, axis: int) -> Array:
        return np.asarray(np.round(values.sum(axis) / _ROUNDING))

    found = stats.permutation_test(
        (moved,),
        rounded_sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=permutations,
        batch=max(1, _BATCH // len(moved)),
        alternative="two-sided",
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979): the k-th smallest of m by m - k + 1, never below a smaller one's.

    Returns:
        The corrected p-values, in the order given.
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def minimum_detectable(standard_error: float) -> float:
    """Return the true effect that a two-sided test at 5 % finds in 80 % of samples: 2.80 standard errors."""
    return standard_error * float(stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER))


def _counts(indices: npt.NDArray[np.int64], size: int) -> Array:
    """Count how often each observation was drawn: `[n, drawn]` to `[n, size]`."""
    rows = len(indices)
    flat = indices + size * np.arange(rows)[:, None]
    return np.bincount(flat.ravel(), minlength=rows * size).reshape(rows, size).astype(float)


def _widened(level: float, size: int) -> float:
    z = stats.t.ppf((1 + level) / 2, size - 1) * np.sqrt(size / (size - 1))
    return float(2 * stats.norm.cdf(z) - 1)
