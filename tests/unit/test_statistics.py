"""Intervals, p-values and detectable effects: against enumeration, resampling and hand-worked numbers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm, t

from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.comparison import compare_settings, find_control
from mwork_eval.results.deltas import DeltaCalculator
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.draws import DrawTest
from mwork_eval.statistics.power import smallest_found
from mwork_eval.statistics.resampling import bootstrap, holm, minimum_detectable, permutation_p, sum_by_cluster

POINTS = Scale(100.0, "points", True)


def shares(values) -> TaskScore:
    return TaskScore("acc,none", True, tuple((float(value), 1.0) for value in values), {})


def bits(numerators, denominators) -> TaskScore:
    return TaskScore("bits_per_byte,none", False, tuple(zip(numerators, denominators, strict=True)), {})


def clustered(score: TaskScore, *keys) -> TaskScore:
    return replace(score, clusters=tuple(map(str, keys)))


def delta_of(baseline, masked):
    return DeltaCalculator(baseline).delta(masked)


def test_values_are_summed_by_cluster_in_the_order_of_their_keys():
    values = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    assert sum_by_cluster(values, ["b", "a", "b", "c"]).tolist() == [[4, 2, 4], [12, 6, 8]]
    with pytest.raises(ValueError, match="4 values, 2 cluster keys"):
        sum_by_cluster(values, ["a", "b"])


def test_an_interval_is_students_over_what_clusters_add():
    """Eight clusters of two questions; English unchanged. The mean of 8 cluster means, by the textbook."""
    changes = np.array([-1, -1, -1, 0, 0, 0, -1, 0, 1, 0, -1, -1, 0, 1, 0, -1.0])
    before = np.full(16, 0.5)
    keys = np.repeat(np.arange(8), 2)
    english, own = (clustered(shares(before), *(f"{name}{key}" for key in keys)) for name in ("en", "zh"))
    masked = clustered(shares(before + changes / 2), *own.clusters)
    found = delta_of({"en": english, "zh": own}, {"zh": [(masked, english)]}).delta_non_eng
    means = changes.reshape(8, 2).mean(1) / 2
    moved = 7  # the third question pair alone kept both answers
    error = 100 * np.std(means, ddof=1) / np.sqrt(8) * np.sqrt(1 + 2 / moved * (1 - moved / 8))
    assert found.standard_error == pytest.approx(error)
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 7) * error)


def test_the_error_agrees_with_resampling_clusters_of_all_languages_at_once():
    generator = np.random.default_rng(3)
    keys = np.repeat(np.arange(60), generator.integers(1, 6, 60))
    size, effect = len(keys), generator.normal(size=60)
    lengths = {code: generator.lognormal(5, 0.5, size) for code in ("en", "zh")}
    before = {code: lengths[code] * generator.gamma(20, 0.05, size) for code in lengths}
    worse = {code: before[code] + lengths[code] * (0.5 + 0.1 * effect[keys]) for code in lengths}
    scores = [
        {code: clustered(bits(values[code], lengths[code]), *keys) for code in lengths} for values in (before, worse)
    ]
    found = delta_of(scores[0], {"zh": [(scores[1]["zh"], scores[1]["en"])]})
    resampled = []
    for _ in range(3000):
        drawn = np.bincount(generator.integers(0, 60, 60), minlength=60)[keys]
        change = {code: drawn @ (before[code] - worse[code]) / (drawn @ lengths[code]) for code in lengths}
        resampled.append([change["en"], change["zh"], change["en"] - change["zh"]])
    errors = [of.standard_error for of in (found.delta_eng, found.delta_non_eng, found.delta)]
    assert errors == pytest.approx(np.std(resampled, axis=0), rel=0.06)
    assert errors[2] < 0.8 * np.hypot(*errors[:2])  # what parallel documents share cancels


def test_two_masks_that_do_the_same_to_english_tell_no_more_than_one():
    english, masked = shares([1, 1, 1, 0, 1, 0, 1, 1] * 3), shares([1, 0, 1, 0, 0, 0, 1, 1] * 3)
    same = shares([1, 0] * 12)
    one = delta_of({"en": english, "zh": same}, {"zh": [(same, masked)]})
    two = delta_of({"en": english, "zh": same, "es": same}, {of: [(same, masked)] for of in ("zh", "es")})
    assert one.delta_eng.standard_error > 0
    assert two.delta_eng == one.delta_eng


def test_too_few_clusters_or_changes_have_a_reason_and_no_interval():
    def non_eng(before, after, *keys):
        own, masked = (clustered(shares(values), *keys) for values in (before, after))
        return delta_of({"en": shares([1] * 24), "zh": own}, {"zh": [(masked, shares([1] * 24))]}).delta_non_eng

    one, four = [0] + [1] * 23, [0] * 4 + [1] * 20
    five = [0] * 5 + [1] * 19
    assert non_eng([1] * 24, four).reason == "4 of 24 clusters of documents moved"
    assert non_eng([1] * 24, four).low is non_eng([1] * 24, four).standard_error is None
    assert non_eng([1] * 24, five).low < -100 * 5 / 24 < non_eng([1] * 24, five).high
    assert non_eng([1] * 24, [0] * 24).reason == "0 of 24 clusters of documents moved"  # all alike
    assert non_eng([1] * 24, one[::-1]).reason == "1 of 24 clusters of documents moved"
    assert non_eng([1] * 24, five, *[1, 2, 3] * 8).reason == "3 clusters of documents, fewer than 4"


def test_a_single_document_has_no_interval():
    (found,) = bootstrap(lambda counts: counts.sum(1)[None], [1])
    assert (found.value, found.low, found.high, found.standard_error) == (1.0, None, None, None)


def test_a_large_sample_takes_batches_and_gives_the_same():
    values = np.random.default_rng(4).normal(5, 1, 3000)
    (found,) = bootstrap(lambda counts: (counts @ values / counts.sum(1))[None], [3000], resamples=1000)
    assert found.standard_error == pytest.approx(1 / np.sqrt(3000), rel=0.1)
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(3000), rel=0.1)


def test_a_permutation_p_of_a_missing_number_is_an_error():
    with pytest.raises(ValueError, match="not finite"):
        permutation_p(np.array([1.0, np.nan, 2.0]))


def test_a_permutation_p_equals_enumeration():
    differences = np.array([3.0, -1.0, 2.5, 0.0, 4.0, 2.0, -0.5])
    sums = [np.sum(differences * signs) for signs in product((1, -1), repeat=7)]
    share = np.mean([total >= differences.sum() - 1e-12 for total in sums])
    assert permutation_p(differences) == pytest.approx(2 * share)
    assert permutation_p(-differences) == pytest.approx(2 * share)


def test_sums_that_differ_by_rounding_only_are_equal():
    # 0.1 + 0.2 - 0.3 is not 0 in floating point; half of all sign patterns give sums on each side of it
    assert permutation_p(np.array([0.1, 0.2, -0.3])) == 1
    assert permutation_p(np.zeros(5)) == 1
    assert permutation_p(np.array([0.0, 7.0])) == 1


def against(setting, *draws):
    """Compare a setting with draws: per language the values of (own, English)."""
    languages = tuple(setting)
    baseline = {of: shares(np.full(len(own), 0.5)) for of, (own, _) in setting.items()}
    baseline["en"] = shares(np.full(len(setting[languages[0]][1]), 0.5))
    masked = {
        "LS": {of: [tuple(map(shares, setting[of]))] for of in languages},
        "R": {of: [tuple(map(shares, draw[of])) for draw in draws] for of in languages},
    }
    return compare_settings({"LS": "R"}, baseline, masked, POINTS)["LS"]


def test_a_test_against_draws_by_hand():
    """One language, 40 documents each on its own, English alike: two samples' moments put together."""
    generator = np.random.default_rng(5)
    own = generator.random((4, 40))
    english = np.full(40, 0.5)
    found = against(*({"zh": (values, english)} for values in own))
    deltas = -100 * own.mean(1)
    between = deltas[1:].var(ddof=1)
    over = 100**2 * np.var(own[0] - own[1:].mean(0), ddof=1) / 40 * (1 + 2 / 39 * (1 - 39 / 80))
    both = 100**2 * np.var(own[1:] - own[1:].mean(0), axis=1, ddof=1).sum() / 40 / 2
    variance = between * 4 / 3 + max(-between * 2 / 3, over - both * 4 / 3)
    degrees = variance**2 / ((between * 4 / 3) ** 2 / 2 + over**2 / 39 + (both * 4 / 3) ** 2 / 78)
    assert found.difference == pytest.approx(deltas[0] - deltas[1:].mean())
    assert found.standard_error == pytest.approx(np.sqrt(variance))
    assert found.degrees == pytest.approx(np.clip(degrees, 2, 41))
    assert found.p == pytest.approx(2 * t.sf(abs(found.difference) / np.sqrt(variance), found.degrees))
    assert (found.draws, found.reason) == (3, None)


def test_draws_that_differ_make_a_difference_less_sure():
    """The same documents lost by the setting and by a control whose draws agree, or of which one does as much."""
    keeps, loses, english = np.ones(60), np.r_[np.zeros(30), np.ones(30)], np.ones(60)
    agree = against({"zh": (loses, english)}, *[{"zh": (keeps, english)}] * 5)
    differ = against({"zh": (loses, english)}, *[{"zh": (values, english)} for values in (keeps, keeps, loses)])
    assert agree.p < 1e-6
    assert differ.p > 0.2


def test_an_effect_is_found_and_a_missing_control_is_said():
    good, bad, english = shares([1] * 12), shares([0] * 12), shares([1, 0] * 6)
    masked = {
        "LS a": {"zh": [(bad, english)]},
        "LS b": {"zh": [(good, english)]},
        "R": {"zh": [(good, english)] * 3},
        "R one": {"zh": [(good, english)]},
        "-": {},
    }
    baseline = {"en": english, "zh": good}
    found = compare_settings({"LS a": "R", "LS b": "R", "-": "R"}, baseline, masked, POINTS)
    # All documents fell alike: without any variance the test is that of swapping documents.
    assert found["LS a"].p == pytest.approx(2 / 2**12)
    assert found["LS a"].p_holm == pytest.approx(2 * 2 / 2**12)
    assert found["LS a"].difference == pytest.approx(100)
    assert found["LS a"].detectable is None
    assert found["LS b"].p == found["LS b"].p_holm == 1
    assert found["-"].p is None
    assert found["-"].reason == "cells are missing"

    def alone(control):
        return compare_settings({"LS a": control}, baseline, masked, POINTS)["LS a"]

    assert alone(None).reason == "the table has no random control for it"
    assert alone("R one").reason == "one random draw does not tell how much draws differ; take at least 2, better 20"
    assert (alone("R one").difference, alone("R one").p) == (pytest.approx(100), None)


def test_few_lost_answers_are_tested_exactly_by_cluster():
    """Four of 60 lost and none won: a sign test gives 2/16, though t gives 0.046; in two clusters it gives 2/4."""
    english, before, after = shares([1] * 60), shares([1] * 60), shares([0] * 4 + [1] * 56)

    def p(*keys):
        scores = {"LS": {"zh": [(clustered(after, *keys), english)]}, "R": {"zh": [(before, english)] * 3}}
        baseline = {"en": english, "zh": clustered(before, *keys)}
        return compare_settings({"LS": "R"}, baseline, scores, POINTS)["LS"].p

    assert p() == pytest.approx(2 / 2**4)
    assert p(*(number // 2 for number in range(60))) == pytest.approx(2 / 2**2)


def test_the_smallest_effect_by_hand_and_by_simulation():
    """Without doubt about the variance 2.64 + 0.84 standard errors; with it, more, found in 80 % of other samples."""

    def sure(degrees, variance_of_set=4.0):
        return DrawTest(0, 4, degrees, 4, variance_of_set, 1)

    assert smallest_found(sure(1e7), 0.05 / 6) == pytest.approx(2 * (norm.isf(0.05 / 12) + norm.isf(0.2)), rel=1e-3)
    generator, limit = np.random.default_rng(8), t.isf(0.05 / 12, 19)
    true = 2 * np.sqrt(19 / generator.chisquare(19, 200_000))  # what a standard error of 2 may have been
    again = true * np.sqrt(generator.chisquare(19, 200_000) / 19)
    differences = smallest_found(sure(19), 0.05 / 6) + true * generator.normal(size=200_000)
    assert np.mean(np.abs(differences) > limit * again) == pytest.approx(0.8, abs=0.005)
    # The test allows for a set that is one more draw; this one's difference varies less.
    assert smallest_found(sure(19, 1.0), 0.05) < smallest_found(sure(19), 0.05)
    assert smallest_found(sure(3), 0.05) is None
    assert smallest_found(DrawTest(0, 0, 19, 0, 0, 1), 0.05) is None


def test_the_control_has_the_same_positions_or_all():
    controls = {("under",): "R under", POSITIONS: "R all"}
    assert find_control(("under",), controls) == "R under"
    assert find_control(("gen",), controls) == "R all"
    assert find_control(("gen",), {("under",): "R under"}) is None


def test_holm_by_hand():
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1 raised to the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1, 1]
    assert holm([]) == []


def test_the_detectable_effect_is_found_four_times_in_five():
    """Differences with standard deviation 0.2 over 60 documents; their mean has a standard error of 2.58 points."""
    generator = np.random.default_rng(7)
    effect = minimum_detectable(100 * 0.2 / np.sqrt(60))
    assert effect == pytest.approx(2.80 * 2.58, rel=0.01)
    english, before = shares([0.5] * 60), np.full(60, 0.8)
    found = 0
    for _ in range(1000):
        after = before - effect / 100 + generator.normal(0, 0.2, 60)
        delta = delta_of({"en": english, "zh": shares(before)}, {"zh": [(shares(after), english)]}).delta
        found += delta.low > 0 or delta.high < 0
    assert 760 < found < 840
