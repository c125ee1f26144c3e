"""Intervals, p-values and "can tell" hold what they say, in simulated samples; the whole grid is in benchmarks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulated import World, draw, fixed_set, truth
from trials import coverage, null_p, power

from mwork_eval.results.deltas import DeltaCalculator

MANY, FEW = (0.6, -0.8), (0.1, -0.06)


def within(share: float, expected: float, trials: int) -> bool:
    """Tell whether a share is at most 3.3 binomial standard errors from what is expected: 1 in 1,000 is not."""
    return abs(share - expected) <= 3.3 * np.sqrt(expected * (1 - expected) / trials)


@pytest.mark.parametrize(
    ("kind", "documents", "questions", "parallel"),
    [("binary", 64, 1, True), ("f1", 64, 4, False), ("bpb", 64, 13, True), ("bpb", 16, 1, True)],
)
def test_intervals_cover_the_truth(kind, documents, questions, parallel):
    found = coverage(World(kind, documents, questions, parallel, MANY[0]), MANY[1], 350, seed=1)
    for of in found:
        assert of.shown > 0.9
        assert within(of.covered, 0.95, 350 * of.shown), of


def test_few_changes_are_too_few_to_tell_or_covered():
    """Of 64 answers three change: most samples show no ∆n-Eng, and few of those that do are wrong."""
    for documents in (16, 64):
        for of in coverage(World("binary", documents, 1, True, FEW[0]), FEW[1], 300, seed=2):
            assert of.wrong < 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / 300), of
    assert coverage(World("binary", 16, 1, True, FEW[0]), FEW[1], 100, seed=3)[0].shown < 0.2


def test_documents_taken_one_by_one_would_not_cover():
    """Without their clusters, questions about one paragraph and parallel items make intervals too narrow."""
    world, generator = World("bpb", 240, 13, True, MANY[0]), np.random.default_rng(4)
    value, held = truth(world.kind, world.moves, MANY[1])[0], {True: 0, False: 0}
    for _ in range(200):
        sample = draw(world, [fixed_set(MANY[1])], generator)
        for known in held:
            baseline = {
                code: score if known else replace(score, clusters=()) for code, score in sample.baseline.items()
            }
            found = DeltaCalculator(baseline).delta(sample.masked[0]).delta_non_eng
            held[known] += found.low <= value <= found.high
    assert held[False] < 170
    assert within(held[True] / 200, 0.95, 200)


@pytest.mark.parametrize("draws", [3, 20])
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_p_is_uniform_if_the_set_is_one_more_random_set(draws, spread):
    """Where no set does anything but noise, and where every set has an effect of its own."""
    p = np.concatenate(
        [null_p(World(kind, 64, 1, True, 0.4), draws, spread, 120, seed=5) for kind in ("binary", "bpb")]
    )
    assert not np.isnan(p).any()
    assert within(np.mean(p < 0.05), 0.05, len(p)), np.mean(p < 0.05)
    assert within(np.mean(p < 0.5), 0.5, len(p)), np.mean(p < 0.5)
    assert stats.kstest(p, "uniform").pvalue > 0.001


@pytest.mark.slow
def test_an_effect_of_the_printed_size_is_found_four_times_in_five():
    """By the p-value of the table, corrected for its rows, with documents and draws as noise."""
    found = power(World("bpb", 64, 1, True, 0.4), 20, 0.1, 3, 100, seed=6)
    assert found.printed == pytest.approx(found.true, rel=0.15)
    # The printed size is cautious: it allows for a variance that this sample has too small.
    assert 0.8 - 2 * np.sqrt(0.16 / 100) < found.found < 0.97, found
