"""Answers to XQuAD: scores in every language, and those of SQuAD."""

import random
import re
import string
from collections import Counter
from typing import Any

import pytest

from mwork_eval.benchmarks.answers import xquad
from mwork_eval.benchmarks.rows import BENCHMARKS

ANSWERS = {
    "en": ("the Denver Broncos", "It was the Denver Broncos, of course.", "Carolina"),
    "de": ("die Denver Broncos", "Es waren die Denver Broncos.", "Carolina"),
    "zh": ("丹佛野马队", "答案是丹佛野马队。", "卡罗来纳"),
    "es": ("los Denver Broncos", "Fueron los Denver Broncos.", "Carolina"),
    "ru": ("Денвер Бронкос", "Это «Денвер Бронкос».", "Каролина"),
    "vi": ("Đội Denver", "Đó là đội Denver.", "Carolina"),
    "th": ("เดนเวอร์ บรองโกส์", "ทีมเดนเวอร์บรองโกส์ชนะ", "แคโรไลนา"),
    "ar": ("دنفر برونكوس", "الفائز هو دنفر برونكوس.", "كارولينا"),
    "el": ("οι Ντένβερ Μπρόνκος", "Ήταν οι Ντένβερ Μπρόνκος.", "Καρολάινα"),
    "hi": ("डेनवर ब्रोंकोस", "वे डेनवर ब्रोंकोस थे।", "कैरोलिना"),
    "ro": ("Denver Broncos", "Au fost Denver Broncos.", "Carolina"),
    "tr": ("Denver Broncos", "Kazanan Denver Broncos'tu, evet Denver Broncos!", "Karolina"),
}


def squad_words(text: str) -> list[str]:
    """What SQuAD's published evaluation does to an English answer, step by step."""
    lowered = text.lower()
    bare = "".join(char for char in lowered if char not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def squad_f1(gold: str, answer: str) -> float:
    common = sum((Counter(squad_words(gold)) & Counter(squad_words(answer))).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(squad_words(answer)), common / len(squad_words(gold))
    return 2 * precision * recall / (precision + recall)


def qa(language: str, *answers: str) -> dict[str, Any]:
    return {"language": language, "answers": list(answers)}


def test_answers_cover_every_language() -> None:
    assert sorted(ANSWERS) == sorted(BENCHMARKS["xquad"].languages)


@pytest.mark.parametrize("language", ANSWERS)
def test_right_contained_and_wrong_answers_in_every_language(language: str) -> None:
    gold, within, wrong = ANSWERS[language]
    names = {"acc", "exact_match", "f1", "squad_exact_match", "squad_f1"}
    assert xquad.score(qa(language, gold), [gold]) == dict.fromkeys(names, 1)
    assert xquad.score(qa(language, gold), [wrong]) == dict.fromkeys(names, 0)
    assert xquad.score(qa(language, gold), [""]) == dict.fromkeys(names, 0)
    found = xquad.score(qa(language, gold), [within])
    assert found["acc"] == 1
    assert found["exact_match"] == 0
    assert 0 < found["f1"] < 1


def test_english_scores_are_those_of_squad() -> None:
    rng = random.Random(0)
    vocabulary = ["the", "a", "An", "U.S.", "Denver", "denver,", "(Broncos)", "1,000", "won't", "win-win", "$5", "x"]
    for _ in range(300):
        gold = " ".join(["Panthers", *rng.choices(vocabulary, k=rng.randint(0, 5))])
        answer = " ".join(["panthers!", *rng.choices(vocabulary, k=rng.randint(0, 8))])
        found = xquad.score(qa("en", gold), [answer])
        assert found["f1"] == pytest.approx(squad_f1(gold, answer)), (gold, answer)
        assert found["exact_match"] == (squad_words(gold) == squad_words(answer)), (gold, answer)


# fmt: off
ODD_WORDS = [
    "“Denver”", "«Denver»", "Denver", "–", "a–b", "a—b", "—the", "the–end", "€5", "$5", "5€", "25°", "25°C", "ＮＦＬ",
    "２０２０", "ｔｈｅ", "Den\u200bver", "\ufeffthe", "🌉", "the🌉", "½", "12", "1/2", "5²", "52", "a.", "(the)",
    "'an'", "won’t", "won't", "THE", "An", "Î", "İ", "ß", "ẞ", "the\u0301", "a\u00a0b", "the\u3000end", "a_b", "_the_",
    "a-the", "¿que?", "1,000", "1.000", "U.S.", "и", "the…", "…", "，", "丹佛", "™", "ʼa", "´the`", "~", "^", "a^b",
]


# fmt: on


def test_squad_scores_are_those_of_squad_everywhere() -> None:
    rng = random.Random(0)
    equal = part = 0
    for _ in range(300):
        golds = [" ".join(rng.choices(ODD_WORDS, k=rng.randint(1, 3))) for _ in range(rng.randint(1, 3))]
        near = rng.choice(golds)
        near = rng.choice([near, near.upper(), near.replace(" ", "\t "), near.replace(" ", " the "), near[1:]])
        answer = rng.choice([near, near, rng.choice(ODD_WORDS)]) + rng.choice(["", " ", ".", " the", "”", "\u2009a"])
        found = xquad.score(qa("en", *golds), [answer])
        right = float(any(squad_words(gold) == squad_words(answer) for gold in golds))
        assert found["squad_exact_match"] == right, (golds, answer)
        assert found["squad_f1"] == max(squad_f1(gold, answer) for gold in golds), (golds, answer)
        equal += right == 1
        part += 0 < found["squad_f1"] < 1
    # Pairs of every kind.
    assert equal >= 50
    assert part >= 20


def test_xquad_takes_the_best_gold_for_each_measure() -> None:
    assert xquad.score(qa("en", "Bonn", "Denver in Colorado"), ["Denver, Colorado or Bonn"]) == {
        "acc": 1.0,
        "exact_match": 0.0,
        "f1": pytest.approx(4 / 7),
        "squad_exact_match": 0.0,
        "squad_f1": pytest.approx(4 / 7),
    }


def test_xquad_counts_repeated_words_once_each() -> None:
    assert xquad.word_f1(["a", "a", "b"], ["a", "c"]) == pytest.approx(2 * 1 / 5)
    assert xquad.word_f1([], ["a"]) == 0


def test_xquad_chinese_blanks_do_not_matter() -> None:
    assert xquad.score(qa("zh", "24 次拦截"), ["24次拦截。"])["exact_match"] == 1
