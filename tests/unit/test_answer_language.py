"""Whether answers are in the language of their question: hand-made ones."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from mwork_eval.evaluation.answer_language import AnswerLanguages, answer_language_metrics, judge_answers, judge_version
from mwork_eval.languages import identifier
from mwork_eval.languages.judgement import Judgement, can_judge, judge_text

ANSWERS = Path(__file__).parents[1] / "data" / "answer_languages.tsv"
"""Answers as models give them: the language asked for, the one it is in (`?`: nobody can tell), the text."""
SAME = {"nb": "no"}


@pytest.fixture
def without_identifier(monkeypatch):
    monkeypatch.setattr(identifier, "find_spec", lambda name: None)


def labelled():
    with ANSWERS.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def judgements():
    """Count right judgements and list wrong ones; a row that is judged although nobody can tell it is wrong."""
    found, wrong = Counter(), []
    for row in labelled():
        same = SAME.get(row["asked"], row["asked"]) == row["is"]
        known = Judgement.ASKED if same else Judgement.ENGLISH if row["is"] == "en" else Judgement.OTHER
        right = Judgement.UNDECIDED if row["is"] == "?" else known
        judged = judge_text(row["answer"], row["asked"])
        found[right, judged is not Judgement.UNDECIDED] += 1
        if judged not in (right, Judgement.UNDECIDED):
            wrong.append((row["asked"], row["is"], judged.value, row["answer"]))
    return found, wrong


def test_no_answer_is_judged_wrongly_and_few_are_left():
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    rows = labelled()
    assert len(rows) >= 150
    assert len({row["asked"] for row in rows}) >= 15
    found, wrong = judgements()
    assert wrong == []
    for right in (Judgement.ASKED, Judgement.ENGLISH, Judgement.OTHER):
        assert found[right, True] >= 0.9 * (found[right, True] + found[right, False])


def test_without_the_identifier_only_scripts_of_one_language_are_judged(without_identifier):
    found, wrong = judgements()
    assert wrong == []
    assert found[Judgement.ASKED, True] >= 25
    assert not any(can_judge(language) for language in ("de", "es", "ru", "uk", "ar", "fa", "hi", "sr"))
    assert all(can_judge(language) for language in ("zh", "ja", "ko", "th", "el", "ka", "km"))
    # Of a language whose right answers cannot be recognised, the wrong ones are not counted either.
    assert judge_answers(["Двенадцать яблок", "twelve apples", "答案是十二"], "ru") == AnswerLanguages(0, 0, 0, 3)


@pytest.mark.parametrize("extra", [True, False])
def test_names_in_latin_letters_inside_a_script_of_its_own_are_not_english(extra, request):
    if extra:
        pytest.importorskip("lingua", reason="needs the extra [langid]")
    else:
        request.getfixturevalue("without_identifier")
    assert judge_answers(["บริษัท Apple", "ทีม Denver Broncos", "ใช้ Windows 11 Pro"], "th") == AnswerLanguages(3, 0, 0, 0)
    assert judge_answers(["Apple", "Denver Broncos", "NFL"], "th") == AnswerLanguages(0, 0, 0, 3)
    english = ["The capital of Thailand is กรุงเทพ (Bangkok).", "There was not enough money to build it."]
    assert judge_answers(english, "th") == AnswerLanguages(2, 2, 0, 0)
    assert judge_answers(["ang sagot ay labindalawa", "Двенадцать"], "th") == AnswerLanguages(2, 0, 2, 0)


@pytest.mark.parametrize("language", ["xx", "mt", "gl", "am"])
def test_what_is_not_known_is_not_judged(language):
    answers = ["The answer to this question is twelve apples.", "答案是十二个苹果", "Αθήνα", "ቤት ውስጥ"]
    assert not can_judge(language)
    assert judge_answers(answers, language) == AnswerLanguages(0, 0, 0, 4)
    assert answer_language_metrics(answers, language) == {}


def test_letters_that_only_one_language_has_decide_without_much_text():
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    assert judge_text("їжа", "ru") is judge_text("پنج", "ar") is judge_text("ہاں", "fa") is Judgement.OTHER
    assert judge_text("їжа", "uk") is Judgement.ASKED
    # A name with such a letter in a longer text is a quotation.
    assert judge_text("Он родился и вырос в городе Їжакове под Москвой", "ru") is Judgement.ASKED


@pytest.mark.parametrize(
    ("text", "zh", "ja"),
    [
        ("大学", Judgement.UNDECIDED, Judgement.UNDECIDED),
        ("这个", Judgement.ASKED, Judgement.OTHER),
        ("広い", Judgement.OTHER, Judgement.ASKED),
        ("図書館", Judgement.OTHER, Judgement.ASKED),
        ("《となりのトトロ》是宫崎骏在一九八八年编写并导演的动画电影作品", Judgement.ASKED, Judgement.OTHER),
        ("我有一本很好看的小", Judgement.UNDECIDED, Judgement.UNDECIDED),
        ("我有一本很好看的小本子", Judgement.ASKED, Judgement.OTHER),
    ],
)
def test_chinese_and_japanese_by_kana_signs_and_length(text, zh, ja):
    assert (judge_text(text, "zh"), judge_text(text, "ja")) == (zh, ja)


@pytest.mark.parametrize("language", ["zh", "de", "th", "ru"])
def test_numbers_and_scraps_are_not_judged(language):
    answers = [
        "",
        "12",
        "1,234.5",
        "12 + 30 = 42",
        "x = 5",
        "5 km",
        "１２",
        "…",
        "42 %",
        r"$\frac{1}{2}$",
        "`print(x)`",
    ]
    answers.append("https://example.org/the/answer/is/here")
    assert judge_answers(answers, language) == AnswerLanguages(0, 0, 0, len(answers))
    assert answer_language_metrics(answers, language) == {}


def test_the_metrics_are_shares_of_what_was_judged():
    answers = ["苹果有十二个吗", "The answer is twelve.", "Двенадцать", "这里有十二个", "12"]
    assert answer_language_metrics(answers, "zh") == {
        "wrong_language,none": 0.5,
        "english_answers,none": 0.25,
        "judged_answers,none": 4.0,
    }
    assert answer_language_metrics(["十二", "twelve"], "en") == {}
    assert answer_language_metrics([], "zh") == {}


def test_stored_judgements_depend_on_the_rules_and_the_identifier(without_identifier):
    before = "2.1.1"  # What earlier releases named their judgements after: the identifier's version, or None.
    assert judge_version() not in (None, before)
    assert judge_version().endswith("identifier None")
