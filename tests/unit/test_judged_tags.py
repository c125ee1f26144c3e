"""The language of answers where the one asked for is any tag: judged as its base, by its script, or not at all."""

import pytest

from mwork_eval.analysis.token_language import require_identifier
from mwork_eval.detection.corpus.language_check import LanguageCheck
from mwork_eval.errors import InputError
from mwork_eval.evaluation.answer_language import answer_language_metrics
from mwork_eval.languages import identifier
from mwork_eval.languages.han import simplified_or_traditional
from mwork_eval.languages.judgement import Judgement, can_judge, judge_text

SIMPLIFIED = "这个问题的答案是北京，因为它是国家的首都。"
TRADITIONAL = "這個問題的答案是北京，因為它是國家的首都。"
EITHER = "北京在中国以北。".replace("国", "土")
JAPANESE = "答えは東京です。日本の首都だからです。"
ENGLISH = "The answer is Beijing, because it is the capital of the country."


@pytest.mark.parametrize(
    ("text", "script"), [(SIMPLIFIED, "Hans"), (TRADITIONAL, "Hant"), (EITHER, None), ("国國", None), ("abc", None)]
)
def test_signs_tell_the_two_scripts_of_chinese(text, script):
    assert simplified_or_traditional(text) == script


@pytest.mark.parametrize(
    ("language", "text", "judgement"),
    [
        ("zh", SIMPLIFIED, "asked"),
        ("zh", TRADITIONAL, "asked"),
        ("cmn", TRADITIONAL, "asked"),
        ("zh-Hans", SIMPLIFIED, "asked"),
        ("zh-Hans", TRADITIONAL, "other"),
        ("zh-Hant", TRADITIONAL, "asked"),
        ("zh-Hant", SIMPLIFIED, "other"),
        ("zh-TW", SIMPLIFIED, "other"),
        ("cmn-Hant", SIMPLIFIED, "other"),
        ("zh-Hant", EITHER, "undecided"),
        ("zh-Hant", JAPANESE, "other"),
        ("zh-Hant", ENGLISH, "english"),
        ("ja-JP", JAPANESE, "asked"),
        ("ja-JP", SIMPLIFIED, "other"),
        ("ko-KR", "서울은 대한민국의 수도입니다.", "asked"),
        ("th-TH", ENGLISH, "english"),
        # Of these nothing is judged, not even English.
        ("yue", SIMPLIFIED, "undecided"),
        ("yue", ENGLISH, "undecided"),
        ("arz", ENGLISH, "undecided"),
        ("ksw", ENGLISH, "undecided"),
    ],
)
def test_without_an_identifier_scripts_and_signs_tell(monkeypatch, language, text, judgement):
    monkeypatch.setattr(identifier, "find_spec", lambda name: None)
    assert judge_text(text, language) is Judgement(judgement)


def test_what_can_be_judged():
    pytest.importorskip("lingua", reason="the extra [langid] is not installed")
    judged = [
        "ja",
        "zh",
        "zh-Hant",
        "cmn",
        "pt",
        "pt-BR",
        "arb",
        "swh",
        "pes",
        "sr",
        "sr-Latn",
        "hr",
        "fil",
        "en-GB",
        "th",
        "nb",
    ]
    assert [tag for tag in judged if not can_judge(tag)] == []
    # Members of macrolanguages, scripts in which the identifier does not know the language, and unknown languages.
    unjudged = ["yue", "arz", "ary", "hi-Latn", "pa-Arab", "ksw", "chr", "xx", "lzh"]
    assert [tag for tag in unjudged if can_judge(tag)] == []


def test_nothing_is_said_of_answers_that_cannot_be_judged():
    for tag in ("yue", "arz", "en-GB", "en"):
        assert answer_language_metrics([ENGLISH] * 3, tag) == {}
    assert answer_language_metrics([ENGLISH, TRADITIONAL, SIMPLIFIED, EITHER], "zh-Hant") == {
        "wrong_language,none": 2 / 3,
        "english_answers,none": 1 / 3,
        "judged_answers,none": 3.0,
    }


def test_a_language_that_cannot_be_judged_is_refused_where_that_is_asked_for():
    pytest.importorskip("lingua", reason="the extra [langid] is not installed")
    with pytest.raises(InputError, match="`check_language` cannot tell this language; found arz"):
        LanguageCheck("arz")
    with pytest.raises(InputError, match="the language of tokens cannot be told; found yue"):
        require_identifier(["ja", "pt-BR", "yue"])


@pytest.mark.slow
def test_a_variety_is_judged_as_its_base():
    pytest.importorskip("lingua", reason="the extra [langid] is not installed")
    portuguese = "A resposta é Lisboa, porque é a capital do país desde o século treze."
    assert judge_text(portuguese, "pt-BR") is Judgement.ASKED
    assert judge_text("Die Antwort lautet Lissabon, weil das die Hauptstadt ist.", "pt-BR") is Judgement.OTHER
    assert judge_text(ENGLISH, "pt-BR") is Judgement.ENGLISH
    assert judge_text("الإجابة هي القاهرة لأنها عاصمة البلاد منذ قرون.", "arb") is Judgement.ASKED
