import importlib.util
import unicodedata

import pytest

from mwork_eval.benchmarks.answers import words as scoring_text
from mwork_eval.benchmarks.answers.text import contains, fold, normalise, summary_words
from mwork_eval.benchmarks.answers.words import units, words
from mwork_eval.benchmarks.excerpt import excerpt
from mwork_eval.errors import InputError


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The  Denver Broncos!", "denver broncos"),
        ("en", "a U.S. dollar", "us dollar"),
        ("en", "“Theatre”, not the Hathe", "theatre not hathe"),
        ("en", "Denver—the champions", "denver champions"),
        ("en", "2010–11", "2010-11"),
        ("de", "Die Straße, eines der Länder", "strasse länder"),
        ("fr", "L’École et l'été d’une vie", "école et été d vie"),
        ("es", "¿El niño y la niña?", "niño y niña"),
        ("el", "Τους δρόμους", "δρομουσ"),
        ("ro", "o casă, niște cărți", "casă cărți"),
        ("ru", "«Война и мир»", "война и мир"),
        ("vi", "Hà Nội, là thủ đô.", "hà nội là thủ đô"),
        ("sw", "Mji mkuu; Dodoma.", "mji mkuu dodoma"),
        ("tr", "İstanbul IŞIK", "istanbul ışık"),
        ("hi", "क्या? पाँच।", "क्या पांच"),
        ("ar", "(الكتاب) الجديد، في بيت", "كتاب جديد في بيت"),
        ("ar", "مُحَمَّد ــ ١٩٩٠", "محمد 1990"),
        ("zh", "《丹佛野马》，２０１６年。", "丹佛野马 2016年"),
        ("zh", "3、5和7，8；1,000", "3 5和7 8 1000"),
        ("th", "น้ำ ๑๒ ขวด", "น้ำ 12 ขวด"),
    ],
)
def test_case_articles_and_punctuation_do_not_count(language: str, text: str, expected: str) -> None:
    assert normalise(text, language) == expected


@pytest.mark.parametrize("vowels", ["oa", "oe", "uy", "uê"])
@pytest.mark.parametrize("tone", "\u0300\u0301\u0303\u0309\u0323")
def test_vietnamese_tones_may_stand_on_either_vowel(vowels: str, tone: str) -> None:
    old, new = f"h{vowels[0]}{tone}{vowels[1]}", f"h{vowels}{tone}"
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, old), "vi") == unicodedata.normalize("NFC", new)
        assert fold(unicodedata.normalize(form, new.upper()), "vi") == unicodedata.normalize("NFC", new)
    assert fold(new, "vi") != fold(f"h{vowels}", "vi")
    assert fold(old, "fr") != fold(new, "fr")


@pytest.mark.parametrize(("text", "expected"), [("The", "the"), ("$", "$"), ("a an", "a an"), (" ", "")])
def test_normalise_keeps_what_would_vanish(text: str, expected: str) -> None:
    assert normalise(text, "en") == expected


def test_invisible_characters_do_not_count() -> None:
    assert normalise("\ufeffDen\u00adver\u200b", "en") == "denver"
    assert normalise("\u200fبيت\u200e", "ar") == "بيت"


def test_composed_and_decomposed_letters_are_alike() -> None:
    for language, text in [("vi", "Việt Nam"), ("fr", "été"), ("ar", "آخر"), ("th", "น้ำ")]:
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert fold(unicodedata.normalize(form, text), language) == fold(text, language), (language, form)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("zh", "nfl在2016年 超级碗", ["nfl", "在", "2016", "年", "超", "级", "碗"]),
        ("th", "น้ำท่วมใน 12 จังหวัด", ["น้ำท่วม", "ใน", "12", "จังหวัด"]),
        ("vi", "hà nội", ["hà", "nội"]),
    ],
)
def test_words_of_every_kind_of_script(language: str, text: str, expected: list[str]) -> None:
    assert words(text, language) == expected


def test_thai_vowel_survives_compatibility_forms() -> None:
    # NFKC takes sara am apart, and the dictionary would then find no word.
    assert words(normalise("น้ำท่วม", "th"), "th") == ["น้ำท่วม"]


def test_thai_units_keep_combining_marks() -> None:
    assert units("กี่ 15 abc", "th") == ["กี่", "15", "abc"]


@pytest.mark.parametrize(
    ("language", "text", "part", "expected"),
    [
        ("en", "it was 15 points", "5", False),
        ("en", "it was 15 points", "15", True),
        ("en", "denverites", "denver", False),
        ("zh", "共15分", "5", False),
        ("zh", "共 15 分", "15分", True),
        ("zh", "黑豹队防守", "豹队", True),
        ("th", "ประมาณ15คน", "5", False),
        ("th", "ทีมรับของแพนเธอร์ส", "แพนเธอร์ส", True),
        ("th", "กี่คน", "ก", False),
        ("ru", "война и мир", "мир", True),
        ("en", "anything", "", False),
    ],
)
def test_an_answer_is_contained_as_whole_words_or_signs(language: str, text: str, part: str, expected: bool) -> None:
    assert contains(units(text, language), units(part, language)) is expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Don't panic: it's 3.5!", ["don", "t", "panic", "it", "s", "3", "5"]),
        ("fr", "L'école", ["l", "école"]),
        ("ar", "قالَ: نعم", ["قال", "نعم"]),
        ("sw", "Ng'ombe wawili", ["ng", "ombe", "wawili"]),
        ("zh", "BBC中文：3月", ["bbc", "中", "文", "3", "月"]),
        ("th", "บีบีซี น้ำ", ["บีบีซี", "น้ำ"]),
        ("en", "…", []),
    ],
)
def test_summaries_are_compared_by_words_or_signs(language: str, text: str, expected: list[str]) -> None:
    assert summary_words(text, language) == expected


def test_thai_without_its_extra_is_an_error_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "mwork-eval\[thai\]"'):
        words("น้ำ", "th")
    with pytest.raises(InputError, match="Thai words cannot be split"):
        scoring_text.check_word_splitter("th")
    scoring_text.check_word_splitter("zh")
    assert words("水", "zh") == ["水"]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Short.", 10, "Short."),
        ("  Short.  ", 6, "Short."),
        ("One is 3.5. Two is long.", 15, "One is 3.5."),
        ('He said "no." Then he left.', 20, 'He said "no."'),
        ("Exactly ten. And more", 12, "Exactly ten."),
        ("第一句很短。第二句也很短。", 8, "第一句很短。"),
        ("第一句“很短。”第二句也很短。", 10, "第一句“很短。”"),
        ("A title\nA body without an end", 12, "A title"),
        ("no sentence ends anywhere here", 14, "no sentence"),
        ("A. no sentence end in the second half", 20, "A. no sentence end"),
        ("ไม่มีจุดจบ ประโยคต่อไปยาว", 15, "ไม่มีจุดจบ"),
        ("abcdefghij", 4, "abcd"),
        ("กกกกี่กก", 5, "กกก"),
        ("क्या है। फिर मिलेंगे।", 12, "क्या है।"),
        ("هل هذا؟ نعم هذا", 10, "هل هذا؟"),
    ],
)
def test_an_excerpt_ends_with_a_sentence_if_it_can(text: str, limit: int, expected: str) -> None:
    found = excerpt(text, limit)
    assert found == expected
    assert len(found) <= limit
