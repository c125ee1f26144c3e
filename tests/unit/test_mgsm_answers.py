"""Answers to MGSM: which number a text states, in every language."""

import pytest

from mwork_eval.benchmarks.answers import mgsm
from mwork_eval.benchmarks.answers.numbers import last_number, parse_number, stated_number
from mwork_eval.benchmarks.rows import BENCHMARKS

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
    assert sorted(SENTENCES) == sorted(BENCHMARKS["mgsm"].languages)


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
def test_a_number_is_read_as_its_language_writes_it(language: str, text: str, expected: str | None) -> None:
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
def test_the_last_number_of_a_text_is_found(language: str, text: str, expected: str | None) -> None:
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
def test_the_number_after_the_words_for_the_answer_is_found(language: str, text: str, expected: str | None) -> None:
    assert stated_number(text, language) == expected
