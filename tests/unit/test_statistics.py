"""Intervals, p-values and detectable effects: against simulation, enumeration and hand-worked numbers."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import kstest

from mwork_eval.ablation.comparison import compare_settings, find_control
from mwork_eval.ablation.deltas import DeltaCalculator
from mwork_eval.ablation.scale import Scale
from mwork_eval.ablation.statistics import bootstrap, holm, minimum_detectable, permutation_p
from mwork_eval.harness.task_score import TaskScore
from mwork_eval.neurons.stages import POSITIONS

POINTS = Scale(100.0, "points", True)


def shares(values) -> TaskScore:
    return TaskScore("acc,none", True, tuple((float(value), 1.0) for value in values), {})


def bits(numerators, denominators) -> TaskScore:
    return TaskScore("bits_per_byte,none", False, tuple(zip(numerators, denominators, strict=True)), {})


def delta_of(baseline, masked, resamples=500):
    return DeltaCalculator(baseline, resamples=resamples).delta(masked)


def covered(found, truth):
    return found.low <= truth <= found.high


def test_intervals_of_accuracies_cover_the_truth():
    """Of 1,200 data sets of 20 to 60 documents, 93 to 97 % of the intervals contain the true ∆, ∆Eng and ∆n-Eng."""
    generator = np.random.default_rng(1)
    hits = np.zeros(3)
    for number in range(1200):
        size = (20, 40, 60)[number % 3]
        before = {language: generator.random(size) < 0.6 for language in ("en", "zh", "es")}
        masked = {
            language: [
                (
                    shares(before[language] & (generator.random(size) < 0.5)),  # 60 % to 30 %
                    shares(before["en"] & (generator.random(size) < 0.8)),  # 60 % to 48 %
                )
            ]
            for language in ("zh", "es")
        }
        found = delta_of({language: shares(values) for language, values in before.items()}, masked, 1000)
        truths = ((found.delta, 18), (found.delta_eng, -12), (found.delta_non_eng, -30))
        hits += [covered(estimate, truth) for estimate, truth in truths]
    assert np.all((hits / 1200 > 0.93) & (hits / 1200 < 0.97)), hits


def test_intervals_of_bits_per_byte_cover_the_truth():
    """A ratio of sums over documents of very different lengths, 60 of them; 1 bit per byte more in the language."""
    generator = np.random.default_rng(2)
    hits = 0
    for _ in range(1000):
        sizes = {language: generator.lognormal(5, 0.5, 60) for language in ("en", "zh")}
        before = {language: size * generator.gamma(20, 0.05, 60) for language, size in sizes.items()}
        worse = {
            language: before[language] + sizes[language] * generator.gamma(4, loss / 4, 60)
            for language, loss in (("en", 0.1), ("zh", 1.1))
        }
        baseline = {language: bits(before[language], sizes[language]) for language in sizes}
        masked = {"zh": [(bits(worse["zh"], sizes["zh"]), bits(worse["en"], sizes["en"]))]}
        hits += covered(delta_of(baseline, masked).delta, 1.0)
    assert 930 < hits < 970, hits


def test_an_interval_agrees_with_resampling_by_hand():
    generator = np.random.default_rng(3)
    sizes = {"en": 30, "zh": 20, "es": 25}
    before = {language: generator.random(size) for language, size in sizes.items()}
    own = {language: before[language] * generator.random(sizes[language]) for language in ("zh", "es")}
    english = {language: before["en"] * generator.random(30) for language in ("zh", "es")}
    found = delta_of(
        {language: shares(values) for language, values in before.items()},
        {language: [(shares(own[language]), shares(english[language]))] for language in own},
        resamples=20_000,
    )
    resampled = []
    for _ in range(4000):
        drawn = {language: generator.integers(0, size, size) for language, size in sizes.items()}
        eng = [np.mean(english[of][drawn["en"]]) - np.mean(before["en"][drawn["en"]]) for of in own]
        non_eng = [np.mean(own[of][drawn[of]]) - np.mean(before[of][drawn[of]]) for of in own]
        resampled.append(100 * (np.mean(eng) - np.mean(non_eng)))
    assert found.delta.standard_error == pytest.approx(np.std(resampled), rel=0.04)
    # Two-sided 95 % of Student's t with 19 degrees of freedom, times sqrt(20/19): at 2.147 standard deviations.
    assert found.delta.low == pytest.approx(np.percentile(resampled, 1.589), rel=0.04)
    assert found.delta.high == pytest.approx(np.percentile(resampled, 98.411), rel=0.04)


def test_english_documents_are_resampled_once_for_all_masks():
    """Two masks that do the same to English tell no more about it than one."""
    english, masked = shares([1, 1, 1, 0, 1, 0, 1, 1]), shares([1, 0, 1, 0, 0, 0, 1, 1])
    same = shares([1, 0] * 4)
    one = delta_of({"en": english, "zh": same}, {"zh": [(same, masked)]}, resamples=4000)
    two = delta_of({"en": english, "zh": same, "es": same}, {of: [(same, masked)] for of in ("zh", "es")}, 4000)
    assert two.delta_eng.standard_error == pytest.approx(one.delta_eng.standard_error, rel=0.05)


def test_every_setting_of_a_table_meets_the_same_resamples():
    calculator = DeltaCalculator({"en": shares([1, 1, 0, 1]), "zh": shares([1, 0, 1, 1])})
    first, other = shares([1, 0, 0, 1]), shares([0, 0, 0, 0])
    deltas = [calculator.delta({"zh": [(own, first)]}).delta_eng for own in (first, other)]
    assert deltas[0] == deltas[1]


def test_equal_differences_have_an_interval_without_width():
    found = delta_of(
        {"en": shares([0.3] * 7), "zh": shares([0.7] * 7)}, {"zh": [(shares([0.1] * 7), shares([0.3] * 7))]}
    )
    for estimate, value in ((found.delta_eng, 0), (found.delta_non_eng, -60), (found.delta, 60)):
        assert estimate.low == estimate.high == estimate.value == pytest.approx(value)
        assert estimate.standard_error == 0


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


def test_a_setting_against_its_control_swaps_documents_for_all_masks():
    """The p-value equals that of swapping whole documents in the score tables and recomputing ∆ each time."""
    generator = np.random.default_rng(5)
    sizes = {"en": 3, "zh": 3, "es": 2}

    def scores():
        return {of: (generator.random(sizes[of]), generator.random(3)) for of in ("zh", "es")}

    setting, seeds = scores(), [scores() for _ in range(2)]
    control = {of: tuple(np.mean([seed[of][i] for seed in seeds], axis=0) for i in (0, 1)) for of in ("zh", "es")}

    def delta(table):
        return 100 * np.mean([table[of][1].mean() - table[of][0].mean() for of in table])

    observed, swapped = delta(setting) - delta(control), []
    for swaps in product((False, True), repeat=8):
        swap = {"en": np.array(swaps[:3]), "zh": np.array(swaps[3:6]), "es": np.array(swaps[6:])}
        first, second = (
            {of: (np.where(swap[of], b[of][0], a[of][0]), np.where(swap["en"], b[of][1], a[of][1])) for of in a}
            for a, b in ((setting, control), (control, setting))
        )
        swapped.append(delta(first) - delta(second))
    tail = min(np.mean(np.array(swapped) >= observed - 1e-9), np.mean(np.array(swapped) <= observed + 1e-9))

    masked = {
        "LS": {of: [tuple(map(shares, setting[of]))] for of in setting},
        "R": {of: [tuple(map(shares, seed[of])) for seed in seeds] for of in setting},
    }
    found = compare_settings({"LS": "R"}, masked, POINTS)["LS"]
    assert found.difference == pytest.approx(observed)
    assert found.p == found.p_holm == pytest.approx(min(1, 2 * tail))


def test_p_is_uniform_without_an_effect():
    generator = np.random.default_rng(6)
    p_values = []
    for _ in range(1000):
        # What makes a document hard is common to setting and control, which do equally well.
        hard = {of: generator.random(15) for of in ("en", "zh", "es")}

        def masked(hard=hard):
            return {
                of: [(shares(hard[of] * generator.random(15)), shares(hard["en"] * generator.random(15)))]
                for of in ("zh", "es")
            }

        found = compare_settings({"LS": "R"}, {"LS": masked(), "R": masked()}, POINTS, permutations=199)
        p_values.append(found["LS"].p)
    assert kstest(p_values, "uniform").pvalue > 0.01
    assert 0.03 < np.mean(np.array(p_values) < 0.05) < 0.07


def test_an_effect_is_found_and_a_missing_control_is_said():
    good, bad, english = shares([1] * 12), shares([0] * 12), shares([1, 0] * 6)
    masked = {
        "LS a": {"zh": [(bad, english)]},
        "LS b": {"zh": [(good, english)]},
        "R": {"zh": [(good, english)]},
        "-": {},
    }
    found = compare_settings({"LS a": "R", "LS b": "R", "-": "R"}, masked, POINTS)
    assert found["LS a"].p == pytest.approx(2 / 2**12)
    assert found["LS a"].p_holm == pytest.approx(2 * 2 / 2**12)
    assert found["LS a"].difference == pytest.approx(100)
    assert found["LS b"].p == found["LS b"].p_holm == 1
    assert found["-"].p is None
    assert found["-"].reason == "cells are missing"
    assert compare_settings({"LS a": None}, masked, POINTS)["LS a"].reason == "the table has no random control for it"


def test_documents_that_weigh_differently_have_no_p():
    setting = {"zh": [(bits([1, 2], [3, 4]), bits([1, 2], [3, 4]))]}
    control = {"zh": [(bits([1, 2], [3, 5]), bits([1, 2], [3, 4]))]}
    found = compare_settings({"LS": "R"}, {"LS": setting, "R": control}, POINTS)["LS"]
    assert found.p is found.p_holm is found.difference is None
    assert found.reason == "documents do not weigh the same as under R"


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
