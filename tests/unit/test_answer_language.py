"""Whether answers are in the language of their question: hand-made ones."""

import pytest

from mwork_eval.harness import answer_language
from mwork_eval.harness.answer_language import AnswerLanguages, answer_language_metrics, judge_answers


@pytest.mark.parametrize(
    ("language", "right", "english"),
    [
        ("zh", "答案是十二个苹果", "The answer is twelve"),
        ("zh", "使用 Transformer 模型", "Ｔｗｅｌｖｅ"),
        ("ru", "Двенадцать яблок", "twelve"),
        ("th", "สิบสองลูก", "Twelve apples."),
        ("ar", "اثنا عشر", "There are ١٢ apples"),
    ],
)
def test_another_script_is_another_language(language, right, english):
    assert judge_answers([right, english], language) == AnswerLanguages(judged=2, english=1, other=0, undecided=0)


def test_a_third_script_is_neither_the_language_nor_english():
    assert judge_answers(["りんごはじゅうにこです", "Двенадцать"], "zh") == AnswerLanguages(2, 0, 2, 0)


@pytest.mark.parametrize("language", ["zh", "de"])
def test_numbers_and_scraps_are_not_judged(language):
    answers = ["", "12", "1,234.5", "12 + 30 = 42", "x = 5", "5 km", "１２", "…", "42 %"]
    assert judge_answers(answers, language) == AnswerLanguages(0, 0, 0, len(answers))
    assert answer_language_metrics(answers, language) == {}


@pytest.mark.parametrize(
    ("language", "right"),
    [
        ("de", "Die Antwort auf diese Frage ist zwölf."),
        ("es", "La respuesta a esta pregunta es doce."),
        ("fr", "La réponse à cette question est douze."),
        ("vi", "Câu trả lời cho câu hỏi này là mười hai."),
        ("sw", "Jibu la swali hili ni kumi na mbili."),
    ],
)
def test_latin_letters_need_the_detector(language, right, monkeypatch):
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    english = "The answer to this question is twelve."
    names = ["New England Patriots", "Berlin", "Los Angeles Kings and Lakers"]
    assert judge_answers([right, english, "答案是十二", *names], language) == AnswerLanguages(3, 1, 1, 3)
    monkeypatch.setattr(answer_language, "find_spec", lambda name: None)
    assert judge_answers([right, english, "答案是十二"], language) == AnswerLanguages(0, 0, 0, 3)


def test_scripts_are_told_without_the_detector(monkeypatch):
    monkeypatch.setattr(answer_language, "find_spec", lambda name: None)
    assert judge_answers(["苹果", "apples"], "zh") == AnswerLanguages(2, 1, 0, 0)


def test_the_metrics_are_shares_of_what_was_judged():
    answers = ["苹果有十二个", "twelve", "Двенадцать", "十二", "12"]
    assert answer_language_metrics(answers, "zh") == {
        "wrong_language,none": 0.5,
        "english_answers,none": 0.25,
        "judged_answers,none": 4.0,
    }
    assert answer_language_metrics(["十二", "twelve"], "en") == {}
    assert answer_language_metrics([], "zh") == {}
