import random
import re
import string
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from mwork_eval.benchmarks.answers import mgsm, xlsum, xquad
from mwork_eval.benchmarks.answers.numbers import last_number, parse_number, stated_number
from mwork_eval.benchmarks.answers.text import summary_words
from mwork_eval.benchmarks.rows import languages_of

# ---- XQuAD -----------------------------------------------------------------------------------------------------------

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
    assert sorted(ANSWERS) == sorted(languages_of("xquad"))


@pytest.mark.parametrize("language", ANSWERS)
def test_xquad(language: str) -> None:
    gold, within, wrong = ANSWERS[language]
    names = {"acc", "exact_match", "f1", "squad_exact_match", "squad_f1"}
    assert xquad.score(qa(language, gold), [gold]) == dict.fromkeys(names, 1)
    assert xquad.score(qa(language, gold), [wrong]) == dict.fromkeys(names, 0)
    assert xquad.score(qa(language, gold), [""]) == dict.fromkeys(names, 0)
    found = xquad.score(qa(language, gold), [within])
    assert found["acc"] == 1
    assert found["exact_match"] == 0
    assert 0 < found["f1"] < 1


def test_xquad_agrees_with_squad_in_english() -> None:
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


# ---- MGSM ------------------------------------------------------------------------------------------------------------

SENTENCES = {
    "en": "So it is 3. The answer is 1,018.",
    "de": "Es sind 3. Die Antwort lautet 1.018.",
    "fr": "Il y en a 3. La réponse est 1 018.",
    "zh": "一共有3个。答案是 1,018。",
    "es": "Son 3. La respuesta es 1.018.",
    "ru": "Всего 3. Ответ — 1 018.",
    "th": "มี 3 ตัว คำตอบคือ ๑,๐๑๘",
    "sw": "Kuna 3. Jibu ni 1,018.",
}


def test_sentences_cover_every_language() -> None:
    assert sorted(SENTENCES) == sorted(languages_of("mgsm"))


@pytest.mark.parametrize("language", SENTENCES)
def test_both_filters_find_the_answer(language: str) -> None:
    doc = {"language": language, "answer": "1018"}
    for extract in (mgsm.strict_match, mgsm.flexible_extract):
        ((found,),) = extract([[SENTENCES[language]]], [doc])
        assert found == "1018"
        assert mgsm.score(doc, [found]) == {"exact_match": 1.0}
        assert mgsm.score({**doc, "answer": "3"}, [found]) == {"exact_match": 0.0}


def test_filters_keep_documents_apart_and_mark_missing_numbers() -> None:
    docs = [{"language": "en"}, {"language": "de"}]
    responses = [["first 1.500", "none"], ["1.500 is all, the answer is 4"]]
    assert mgsm.flexible_extract(responses, docs) == [["1500", mgsm.NO_NUMBER], ["4"]]
    assert mgsm.strict_match(responses, docs) == [[mgsm.NO_NUMBER, mgsm.NO_NUMBER], [mgsm.NO_NUMBER]]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "1,000", "1000"),
        ("en", "1,234,567.50", "1234567.5"),
        ("en", "12.50", "12.5"),
        ("en", "1.000", "1000"),
        ("en", "007", "7"),
        ("en", "-0", "0"),
        ("en", "1'000", "1000"),
        ("en", "1\u202f000", "1000"),
        ("en", "1 000", "1000"),
        ("en", "1,00", "1"),
        ("en", "1,00,0", None),
        ("en", "", None),
        ("en", "x", None),
        ("en", ".5", "0.5"),
        ("en", "9" * 60, "9" * 60),
        ("de", "1.000", "1000"),
        ("de", "1.234,5", "1234.5"),
        ("de", "1,5", "1.5"),
        ("de", "1.5", "1.5"),
        ("de", "1,234,567", "1234567"),
        ("de", "1,234.50", "1234.5"),
        ("es", "80 000", "80000"),
        ("es", "80.000", "80000"),
        ("fr", "1 000", "1000"),
        ("fr", "1\u00a0234,5", "1234.5"),
        ("fr", "1\u202f234\u202f567", "1234567"),
        ("ru", "12 345", "12345"),
        ("ru", "2,5", "2.5"),
        ("zh", "１，０００", "1000"),
        ("zh", "３．５", "3.5"),
        ("zh", "−５", "-5"),
        ("th", "๑๒,๓๔๕", "12345"),
        ("sw", "٣٤", "34"),
        ("en", "١٬٢٣٤٫٥", "1234.5"),
        ("en", "$1,000", "1000"),
        ("en", "-$5", "-5"),
        ("en", "$-5", "-5"),
        ("en", "–5", "-5"),
    ],
)
def test_parse_number(language: str, text: str, expected: str | None) -> None:
    assert parse_number(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "16 - 3 - 4 = 9. She makes 9 * 2 = $18.", "18"),
        ("en", "between 10-15", "15"),
        ("en", "x = -7.", "-7"),
        ("en", "(3)-2", "2"),
        ("en", "The 18th of 20", "20"),
        ("en", "It costs 5% more, or 1,050.00 dollars...", "1050"),
        ("en", "no numbers", None),
        ("en", "on 12.05.2020", "2020"),
        ("en", "lists 1,2,3", "3"),
        ("de", "Das sind 70.000 €.", "70000"),
        ("fr", "en 2020 300 personnes", "300"),
        ("fr", "soit 70 000 $.", "70000"),
        ("ru", "итого 70 000 долларов", "70000"),
        ("zh", "答案是-5。", "-5"),
        ("zh", "有3个，剩下18个", "18"),
        ("zh", "第１天有２，第２天有３００", "300"),
        ("th", "รวม ๑๘ ดอลลาร์", "18"),
    ],
)
def test_last_number(language: str, text: str, expected: str | None) -> None:
    assert last_number(text, language) == expected


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 900 + "^999", "1" + "万" * 5000, "1e999", "1/" + "3" * 5000])
def test_numbers_of_any_length_are_read(text: str) -> None:
    found = last_number(text, "zh")
    assert found is not None
    assert found.strip("0123456789") == ""


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The answer is 5. The answer is 6.", "5"),
        ("en", "the answer is: **$1,200**", "1200"),
        ("en", "The answer is \\(12\\).", "12"),
        ("en", "The answer is unknown. The answer is 4", "4"),
        ("en", "Answer: 5", None),
        ("en", "The answer is five, not 6", None),
        ("de", "The answer is 5", None),
        ("de", "Die Antwort lautet -3.", "-3"),
        ("zh", "答案是18。", "18"),
        ("ru", "Ответ – 18.", "18"),
        ("ru", "Ответ — -18.", "-18"),
        ("fr", "La réponse est : 18", "18"),
        ("fr", "La re\u0301ponse est\u00a018", "18"),
    ],
)
def test_stated_number(language: str, text: str, expected: str | None) -> None:
    assert stated_number(text, language) == expected


# ---- XL-Sum ----------------------------------------------------------------------------------------------------------

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
    assert sorted(SUMMARIES) == sorted(languages_of("xlsum"))


@pytest.mark.parametrize("language", SUMMARIES)
def test_xlsum(language: str) -> None:
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
