"""Squares and dose curves: the numbers and their intervals, against slow computations."""

import numpy as np
import pytest
from helpers.square_folders import COUNTS, LANGUAGES, LS, MASKS, SEEDS, R, damage_of, score

from mwork_eval.results.cross import cross_effects
from mwork_eval.results.scale import Scale

pytest_plugins = ["helpers.square_fixtures"]


def expected_changes(setting, seeds):
    """Changes the slow way: sums of bits and bytes, one mask, seed and language at a time."""
    found = {}
    for mask in MASKS:
        for language in LANGUAGES:
            changes = []
            for seed in seeds:
                scores = [score(language, d) for d in (0.0, damage_of(setting, mask, seed, language))]
                before, after = (sum(bits for bits, _ in s.documents) / sum(b for _, b in s.documents) for s in scores)
                changes.append(before - after)  # fewer bits are better
            found[mask, language] = changes
    return found


def expected_specificity(changes, mask, seed):
    others = [changes[mask, language][seed] for language in LANGUAGES if language != mask]
    return sum(others) / len(others) - changes[mask, mask][seed]


def test_changes_and_specificity_are_those_of_a_slow_computation(square):
    changes = expected_changes(LS, (None,))
    for (mask, language), (value,) in changes.items():
        assert square.effects.changes[mask][language].value == pytest.approx(value)
    specificity = [expected_specificity(changes, mask, 0) for mask in MASKS]
    assert [square.effects.specificity[mask].value for mask in MASKS] == pytest.approx(specificity)
    assert square.effects.mean_specificity.value == pytest.approx(sum(specificity) / len(specificity))
    assert min(specificity) > 0.3  # damage to itself counts as positive
    assert (square.masks, square.languages, square.unit) == (MASKS, LANGUAGES, "bits per byte")


def test_random_controls_are_compared_one_by_one(square):
    changes = expected_changes(R, SEEDS)
    for mask in MASKS:
        for language in LANGUAGES:
            mean = sum(changes[mask, language]) / len(SEEDS)
            assert square.random.changes[mask][language].value == pytest.approx(mean)
    for language in LANGUAGES:
        single = [value for mask in MASKS for value in changes[mask, language]]
        spread = square.spread.changes[language]
        assert (spread.mean, spread.low, spread.high) == pytest.approx((np.mean(single), min(single), max(single)))
    specific = [expected_specificity(changes, mask, seed) for mask in MASKS for seed in range(len(SEEDS))]
    assert square.spread.specificity.low == pytest.approx(min(specific))
    assert square.spread.specificity.high == pytest.approx(max(specific))
    assert square.spread.draws == len(SEEDS)


def damaged(noise, clusters=None):
    """Scores of two languages under one mask; texts are hit alike in both, but for noise."""
    baseline = {language: score(language, 0.0, 40, noise) for language in ("en", "zh")}
    after = {language: score(language, 0.5, 40, noise) for language in ("en", "zh")}
    if clusters is not None:
        for scores in (baseline, after):
            for language, one in scores.items():
                keys = tuple(clusters(language, number) for number in range(40))
                scores[language] = type(one)(**{**vars(one), "clusters": keys})
    return cross_effects(baseline, {"zh": {k: [v] for k, v in after.items()}}, Scale.of(baseline["en"]))


def width(estimate):
    return estimate.high - estimate.low


def test_parallel_texts_are_drawn_together():
    together = damaged(0.02)
    apart = damaged(0.02, lambda language, number: f"{language} {number}")
    # Texts are hit alike in both languages: drawn together that cancels in the difference, drawn apart it does not.
    assert width(together.mean_specificity) < 0.5 * width(apart.mean_specificity)
    assert width(together.changes["zh"]["en"]) == pytest.approx(width(apart.changes["zh"]["en"]), rel=0.15)
    for effects in (together, apart):
        assert effects.specificity["zh"] == effects.mean_specificity  # there is one mask
        change = effects.changes["zh"]["zh"]
        assert change.low < change.value < change.high < 0


def test_questions_about_one_paragraph_are_drawn_together():
    # Ten neighbours each: what is left are four independent observations.
    few = damaged(0.02, lambda language, number: f"paragraph {number // 10}")
    many = damaged(0.02)
    assert width(few.changes["zh"]["zh"]) > 1.1 * width(many.changes["zh"]["zh"])


def test_dose_curves_are_those_of_a_slow_computation(dose):
    def change(setting, mask, seed, language, count):
        scores = [score(language, d) for d in (0.0, damage_of(setting, mask, seed, language) * count / 100)]
        before, after = (sum(bits for bits, _ in s.documents) / sum(b for _, b in s.documents) for s in scores)
        return before - after

    assert [(p.language, p.count) for p in dose.points[: len(MASKS) + 1]] == [(m, 10) for m in (None, *MASKS)]
    for point in dose.points:
        masks = MASKS if point.language is None else (point.language,)
        own = np.mean([change(LS, mask, None, mask, point.count) for mask in masks])
        english = np.mean([change(LS, mask, None, "en", point.count) for mask in masks])
        assert (point.own.value, point.english.value) == pytest.approx((own, english))
        assert point.delta.value == pytest.approx(english - own)
        by_seed = [
            np.mean([change(R, m, s, "en", point.count) - change(R, m, s, m, point.count) for m in masks])
            for s in SEEDS
        ]
        band = point.control.delta
        assert (band.low, band.high, point.control.draws) == pytest.approx((min(by_seed), max(by_seed), len(SEEDS)))
    assert [p.count for p in dose.curve("zh")] == list(COUNTS)
