"""Deltas and language scores: hand-worked numbers."""

from dataclasses import replace

import pytest
from helpers.task_scores import accuracy, bits

from mwork_eval.errors import InputError
from mwork_eval.results.deltas import DeltaCalculator
from mwork_eval.results.language_scores import AnswerCounts, LanguageChange, language_score
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore


def test_deltas_by_hand():
    calculator = DeltaCalculator({"en": accuracy(1, 1, 1, 0), "zh": accuracy(1, 1, 0, 0), "es": accuracy(1, 1, 1, 1)})
    delta = calculator.delta(
        {
            "zh": [(accuracy(0, 0, 0, 0), accuracy(1, 1, 0, 0))],  # zh -50, en -25
            "es": [(accuracy(1, 1, 1, 0), accuracy(1, 1, 1, 1))],  # es -25, en +25
        }
    )
    assert delta.delta_non_eng.value == pytest.approx((-50 - 25) / 2)
    assert delta.delta_eng.value == pytest.approx(0)
    assert delta.delta.value == pytest.approx(37.5)
    assert delta.eng == pytest.approx(75)
    assert delta.non_eng == pytest.approx(37.5)
    assert delta.by_language["zh"].own == LanguageChange(50, 0, -50, -100)
    assert delta.by_language["zh"].english == LanguageChange(75, 50, -25, pytest.approx(-100 / 3))
    assert delta.documents == {"en": 4, "zh": 4, "es": 4}
    assert delta.delta.low <= 37.5 <= delta.delta.high


def test_bits_per_byte_turn_the_sign():
    calculator = DeltaCalculator({"en": bits((10, 10), (20, 20)), "zh": bits((30, 10), (10, 10))})
    delta = calculator.delta({"zh": [(bits((40, 10), (20, 10)), bits((10, 10), (20, 20)))]})
    assert calculator.baseline == {"en": 1.0, "zh": 2.0}
    assert delta.by_language["zh"].own == LanguageChange(2.0, 3.0, -1.0, -50)
    assert delta.delta_non_eng.value == pytest.approx(-1.0)
    assert delta.delta_eng.value == 0
    assert delta.delta.value == pytest.approx(1.0)
    # two documents that both lost exactly one bit per byte do not tell how others would fare
    assert delta.delta.low is delta.delta.high is None
    assert delta.delta.reason == "2 clusters of documents, fewer than 4"


def test_scores_in_percent_are_points_as_they_are():
    percent = TaskScore("chrf,none", True, ((40.0, 1.0), (60.0, 1.0)), {})
    calculator = DeltaCalculator({"en": percent, "zh": percent})
    assert calculator.baseline == {"en": 50, "zh": 50}
    assert calculator.scale.unit == "points"


def test_random_controls_keep_their_spread():
    calculator = DeltaCalculator({"en": accuracy(1, 1), "zh": accuracy(1, 1)})
    delta = calculator.delta(
        {"zh": [(accuracy(1, 0), accuracy(1, 1)), (accuracy(1, 1), accuracy(1, 1)), (accuracy(0, 0), accuracy(1, 1))]}
    )
    assert delta.by_seed == pytest.approx((50, 0, 100))
    assert delta.delta.value == pytest.approx(50)


def test_other_documents_are_refused():
    calculator = DeltaCalculator({"en": accuracy(1, 1), "zh": accuracy(1, 1)})
    with pytest.raises(InputError, match="1 documents after and 2 before"):
        calculator.delta({"zh": [(accuracy(1), accuracy(1, 1))]})
    same = replace(accuracy(1, 1), documents_digest="others")
    with pytest.raises(InputError, match="different documents, prompts or right answers"):
        calculator.delta({"zh": [(same, accuracy(1, 1))]})


def test_seeds_must_be_the_same_for_all_languages():
    score = accuracy(1, 1)
    calculator = DeltaCalculator({"en": score, "zh": score, "es": score})
    with pytest.raises(ValueError, match="seeds differ"):
        calculator.delta({"zh": [(score, score)] * 2, "es": [(score, score)]})


def test_one_document_has_deltas_without_intervals():
    calculator = DeltaCalculator({"en": accuracy(1), "zh": accuracy(1)})
    delta = calculator.delta({"zh": [(accuracy(0), accuracy(1))]})
    assert delta.delta.value == 100
    assert delta.delta.low is delta.delta.high is delta.delta.standard_error is None


def test_a_language_score_is_the_mean_over_seeds():
    runs = [(accuracy(1, 0, 0, 0), accuracy(1, 1, 1, 1)), (accuracy(1, 1, 0, 0), accuracy(1, 0, 1, 1))]
    baseline = accuracy(1, 1, 1, 0)
    found = language_score(baseline, accuracy(1, 1, 1, 1), runs, Scale.of(baseline))
    assert found.own == LanguageChange(75, 37.5, -37.5, -50)
    assert found.english == LanguageChange(100, 87.5, -12.5, -12.5)
    assert found.answers_before is found.answers is None


def test_a_baseline_of_zero_has_no_relative_change():
    nothing = accuracy(0, 0)
    found = language_score(nothing, accuracy(1, 1), [(accuracy(0, 1), accuracy(1, 1))], Scale.of(nothing))
    assert found.own == LanguageChange(0, 50, 50, None)


def test_answers_of_all_seeds_are_pooled_by_how_many_were_judged():
    def answered(wrong, english, judged):
        metrics = {"wrong_language,none": wrong, "english_answers,none": english, "judged_answers,none": judged}
        return TaskScore("acc,none", True, ((1.0, 1.0),), metrics if judged else {})

    english = accuracy(1)
    runs = [(answered(0.5, 0.25, 4), english), (answered(1.0, 1.0, 1), english), (answered(0, 0, 0), english)]
    found = language_score(answered(0, 0, 3), english, runs, Scale.of(english))
    assert found.answers_before == AnswerCounts(3, 0, 0)
    assert found.answers == AnswerCounts(5, pytest.approx(60), pytest.approx(40))
