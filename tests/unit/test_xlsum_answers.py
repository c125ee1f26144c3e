"""Summaries of XL-Sum: ROUGE and chrF, counted by hand."""

from collections import Counter
from itertools import pairwise

import pytest
from rouge_score.rouge_scorer import RougeScorer

from mwork_eval.benchmarks.answers import xlsum
from mwork_eval.benchmarks.answers.text import summary_words
from mwork_eval.benchmarks.rows import BENCHMARKS

SUMMARIES = {
    "en": ("The market in the old pool opened on Saturday.", "Nobody went home"),
    "fr": ("Le marché de l'ancienne piscine a ouvert samedi.", "Personne n'est venu"),
    "zh": ("旧游泳池里的市场于3月6日开张。", "没人回家"),
    "es": ("El mercado de la antigua piscina abrió el sábado.", "Nadie vino"),
    "ru": ("Рынок в старом бассейне открылся в субботу.", "Никто не пришёл"),
    "vi": ("Khu chợ trong bể bơi cũ mở cửa hôm thứ Bảy.", "Không ai về"),
    "th": ("ตลาดในสระว่ายน้ำเก่าเปิดเมื่อวันเสาร์", "ไม่มีใครกลับบ้าน"),
    "ar": ("افتُتح السوق في المسبح القديم يوم السبت.", "لم يعد أحد"),
    "sw": ("Soko katika bwawa la zamani lilifunguliwa Jumamosi.", "Hakuna aliyerudi"),
}


def test_summaries_cover_every_language() -> None:
    assert sorted(SUMMARIES) == sorted(BENCHMARKS["xlsum"].languages)


@pytest.mark.parametrize("language", SUMMARIES)
def test_same_half_and_other_summaries_in_every_language(language: str) -> None:
    gold, other = SUMMARIES[language]
    doc = {"language": language, "summary": gold}
    same = xlsum.score(doc, [f" {gold} "])
    assert same == {"rougeL": 1, "rouge1": 1, "rouge2": 1, "chrf": pytest.approx(1)}
    different = xlsum.score(doc, [other])
    assert (different["rouge1"], different["rouge2"], different["rougeL"]) == (0, 0, 0)
    assert different["chrf"] < 0.2
    assert set(xlsum.score(doc, [""]).values()) == {0}
    half = xlsum.score(doc, [gold[: len(gold) // 2]])
    assert all(0 < value < 1 for value in half.values())


def slow_lcs(left: list[str], right: list[str]) -> int:
    if not left or not right:
        return 0
    if left[-1] == right[-1]:
        return 1 + slow_lcs(left[:-1], right[:-1])
    return max(slow_lcs(left[:-1], right), slow_lcs(left, right[:-1]))


def f_measure(common: int, gold: int, found: int) -> float:
    return 2 * common / (gold + found) if common else 0.0


@pytest.mark.parametrize(
    ("language", "gold", "found"),
    [
        ("ru", "Рынок открылся в субботу", "В субботу рынок закрылся"),
        ("zh", "市场星期六开", "星期六市开场"),
        ("ar", "السوق القديم مفتوح", "السوق مفتوح القديم"),
        ("th", "ตลาดเปิดวันเสาร์", "วันเสาร์ตลาดปิด"),
    ],
)
def test_rouge_against_counting_by_hand(language: str, gold: str, found: str) -> None:
    left, right = summary_words(gold, language), summary_words(found, language)
    bigrams = [Counter(pairwise(words)) for words in (left, right)]
    score = xlsum.score({"language": language, "summary": gold}, [found])
    assert score["rouge1"] == pytest.approx(f_measure((Counter(left) & Counter(right)).total(), len(left), len(right)))
    assert score["rouge2"] == pytest.approx(f_measure((bigrams[0] & bigrams[1]).total(), len(left) - 1, len(right) - 1))
    assert score["rougeL"] == pytest.approx(f_measure(slow_lcs(left, right), len(left), len(right)))


def test_rouge_in_english_is_the_usual_one() -> None:
    gold, found = "The U.S. market (2,000 stalls) won't open on Sunday", "the market with 2000 stalls won't open"
    usual = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(gold, found)
    score = xlsum.score({"language": "en", "summary": gold}, [found])
    for name, value in usual.items():
        assert score[name] == pytest.approx(value.fmeasure)


def slow_chrf(gold: str, found: str) -> float:
    precisions, recalls = [], []
    for width in range(1, 7):
        grams = [
            Counter(text[start : start + width] for start in range(len(text) - width + 1))
            for text in (gold.replace(" ", ""), found.replace(" ", ""))
        ]
        common = (grams[0] & grams[1]).total()
        recalls.append(common / grams[0].total())
        precisions.append(common / grams[1].total())
    precision, recall = sum(precisions) / 6, sum(recalls) / 6
    return 5 * precision * recall / (4 * precision + recall)


def test_chrf_against_counting_by_hand() -> None:
    gold, found = "Рынок открылся в субботу", "Рынок закрылся в воскресенье"
    score = xlsum.score({"language": "ru", "summary": gold}, [found])
    assert score["chrf"] == pytest.approx(slow_chrf(gold.lower(), found.lower()))
