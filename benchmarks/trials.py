"""What the statistics of the reports say in many simulated samples: coverage, p-values, power."""

from dataclasses import dataclass

import numpy as np
from simulated import World, draw, fixed_set, random_sets, together, truth

from mwork_eval.results.comparison import SIGNIFICANT, Comparison, compare_settings
from mwork_eval.results.deltas import DeltaCalculator
from mwork_eval.statistics.resampling import Array, Estimate


@dataclass(frozen=True)
class Coverage:
    """Intervals of many samples.

    Attributes:
        shown: Share of samples with an interval; the others are too few to tell.
        covered: Share of the intervals that hold the truth; NaN without any.
        wrong: Share of all samples that show an interval without the truth.
    """

    shown: float
    covered: float
    wrong: float


def coverage(world: World, shift: float, trials: int, seed: int) -> tuple[Coverage, Coverage]:
    """Return how often the intervals of ∆n-Eng and ∆ hold the truth."""
    generator, truths = np.random.default_rng(seed), truth(world.kind, world.moves, shift)
    found: tuple[list[Estimate], list[Estimate]] = [], []
    for _ in range(trials):
        sample = draw(world, [fixed_set(shift)], generator)
        delta = DeltaCalculator(sample.baseline).delta(sample.masked[0])
        found[0].append(delta.delta_non_eng)
        found[1].append(delta.delta)
    non_eng, delta = (_coverage(estimates, value) for estimates, value in zip(found, truths, strict=True))
    return non_eng, delta


def _coverage(estimates: list[Estimate], value: float) -> Coverage:
    held = [e.low <= value <= e.high for e in estimates if e.low is not None and e.high is not None]
    shown = len(held) / len(estimates)
    return Coverage(shown, float(np.mean(held)) if held else float("nan"), shown - sum(held) / len(estimates))


def null_p(world: World, draws: int, spread: float, trials: int, seed: int) -> Array:
    """Return p-values of a set that is one more random set; those that cannot be told are NaN.

    Args:
        world: The world.
        draws: Number of random draws.
        spread: Standard deviation of what sets do; 0 for sets of which none does anything but noise.
        trials: Number of samples.
        seed: Of the generator.
    """
    generator = np.random.default_rng(seed)
    found = [compared(world, [0.0], draws, spread, generator, one_more=True)[0].p for _ in range(trials)]
    return np.array([np.nan if p is None else p for p in found])


def compared(
    world: World,
    shifts: list[float],
    draws: int,
    spread: float,
    generator: np.random.Generator,
    *,
    one_more: bool = False,
) -> list[Comparison]:
    """Draw a sample and return what the table says of rows against one random control.

    Args:
        world: The world.
        shifts: What each row's set does.
        draws: Number of random draws.
        spread: Standard deviation of what random sets do.
        generator: Where chance comes from.
        one_more: Whether rows' sets are random sets, besides.
    """
    random = random_sets(draws, spread, generator)
    own = [fixed_set(shift) for shift in shifts]
    if one_more:
        own = random_sets(len(shifts), spread, generator)
    sample = draw(world, [*own, *random], generator)
    names = [f"LS {number}" for number in range(len(shifts))]
    masked = dict(zip(names, sample.masked, strict=False)) | {"R": together(sample.masked[len(shifts) :])}
    scale = DeltaCalculator(sample.baseline).scale
    return list(compare_settings(dict.fromkeys(names, "R"), sample.baseline, masked, scale).values())


@dataclass(frozen=True)
class Power:
    """How often an effect of the size that tables print is found.

    Attributes:
        printed: The median of what the tables say they can tell.
        true: The effect there was, near that.
        found: Share of samples in which its corrected p is significant.
    """

    printed: float
    true: float
    found: float


def power(world: World, draws: int, spread: float, rows: int, trials: int, seed: int) -> Power:
    """Return the power of the corrected p of one row of several at the effect that the tables print.

    Args:
        world: The world.
        draws: Number of random draws.
        spread: Standard deviation of what random sets do.
        rows: Rows of the table; all but one do nothing.
        trials: Number of samples.
        seed: Of the generator.
    """
    generator, shift, pilot = np.random.default_rng(seed), -0.3, max(25, trials // 8)
    for _ in range(3):  # the printed size depends a little on the effect: go to where both are alike
        printed = _printed(world, shift, draws, spread, rows, pilot, generator)
        true = truth(world.kind, world.moves, shift)[1]
        shift *= printed / true
    samples = [_rows(world, shift, draws, spread, rows, generator)[0] for _ in range(trials)]
    found = [sample.p_holm is not None and sample.p_holm < SIGNIFICANT for sample in samples]
    printed = float(np.median([sample.detectable for sample in samples if sample.detectable is not None]))
    return Power(printed, truth(world.kind, world.moves, shift)[1], float(np.mean(found)))


def _printed(
    world: World, shift: float, draws: int, spread: float, rows: int, trials: int, generator: np.random.Generator
) -> float:
    samples = [_rows(world, shift, draws, spread, rows, generator)[0].detectable for _ in range(trials)]
    return float(np.median([value for value in samples if value is not None]))


def _rows(
    world: World, shift: float, draws: int, spread: float, rows: int, generator: np.random.Generator
) -> list[Comparison]:
    return compared(world, [shift] + [0.0] * (rows - 1), draws, spread, generator)
