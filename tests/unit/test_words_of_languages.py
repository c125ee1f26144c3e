"""Words of languages beyond the benchmarks: at blanks and Unicode's boundaries, by a dictionary, or characters."""

import pytest

from mwork_eval.benchmarks.answers import words as splitting
from mwork_eval.benchmarks.answers.text import normalise, summary_words
from mwork_eval.benchmarks.answers.words import check_word_splitter, units, words
from mwork_eval.errors import InputError
from mwork_eval.languages.table import find_language

BY_DICTIONARY = [
    # "I study Japanese." / "Tokyo has 12 million, Osaka 8.8 million people."
    ("ja", "私は日本語を勉強しています。", "私 は 日本語 を 勉強 し てい ます"),
    ("ja", "東京は1,200万人、大阪は880万人です。", "東京 は 1200 万人 大阪 は 880 万人 です"),
    # "I love Laos."
    ("lo", "ຂ້ອຍຮັກປະເທດລາວ", "ຂ້ອຍ ຮັກ ປະເທດ ລາວ"),
    # "I love the Khmer language." / "Cambodia is a country."
    ("km", "ខ្ញុំស្រឡាញ់ភាសាខ្មែរ។", "ខ្ញុំ ស្រឡាញ់ ភាសាខ្មែរ"),
    ("km", "កម្ពុជាជាប្រទេសមួយ។", "កម្ពុជា ជា ប្រទេស មួយ"),
    # "Myanmar is situated."
    ("my", "မြန်မာနိုင်ငံသည် တည်ရှိသည်။", "မြန်မာနိုင်ငံ သည် တည်ရှိသည်"),
    ("ja-JP", "日本語を話す", "日本語 を 話す"),
]

BY_SIGNS = [
    # Tibetan: syllables, which its dots separate; no kept library finds its words.
    ("bo", "བོད་ཀྱི་སྐད་ཡིག།", "བོད ཀྱི སྐད ཡིག"),
    ("dz", "རྫོང་ཁ་སྐད།", "རྫོང ཁ སྐད"),
    # Ethiopic word spaces need no blank.
    ("am", "ሰላም፡ልዑል፣አዲስ አበባ።", "ሰላም ልዑል አዲስ አበባ"),
    ("hi", "मुझे हिन्दी आती है।", "मुझे हिंदी आती है"),
    ("mr", "मला मराठी येते.", "मला मराठी येते"),
    ("ur", "میں اردو بولتا ہوں۔", "میں اردو بولتا ہوں"),
    ("ka", "მე მიყვარს საქართველო.", "მე მიყვარს საქართველო"),
    ("he", "שלום, עולם!", "שלום עולם"),
    ("ta", "நான் தமிழ் பேசுகிறேன்.", "நான் தமிழ் பேசுகிறேன்"),
    # A quoted name in a script without blanks, and numbers with their signs.
    ("pl", "Pekin (北京) ma 21,5 mln.", "pekin 北 京 ma 21.5 mln"),
    ("uk", "з 24-10 до -5 або 3/4", "з 24-10 до -5 або 3/4"),
    # Chinese in all its forms, and a language in its script: characters.
    ("zh-Hant", "今天天氣3度", "今 天 天 氣 3 度"),
    ("yue", "佢哋喺香港。", "佢 哋 喺 香 港"),
    ("lzh", "學而時習之，不亦說乎？", "學 而 時 習 之 不 亦 說 乎"),
    # Scripts without blanks whose language has no dictionary: characters with their marks.
    ("shn", "ၵႂၢမ်းတႆး", "ၵႂၢ မ်း တႆး"),
    ("jv-Java", "ꦧꦱꦗꦮ", "ꦧ ꦱ ꦗ ꦮ"),
    ("ko-KR", "나는 학교에 간다", "나는 학교에 간다"),
]


@pytest.mark.parametrize(("language", "text", "right"), BY_DICTIONARY)
def test_a_dictionary_finds_the_words_where_no_blanks_are(language, text, right):
    pytest.importorskip("icu4py", reason="the extra [segment] is not installed")
    assert words(normalise(text, language), language) == right.split()


@pytest.mark.parametrize(("language", "text", "right"), BY_SIGNS)
def test_words_are_what_the_writing_tells(language, text, right):
    assert words(normalise(text, language), language) == right.split()


def test_running_text_is_split_alike():
    assert summary_words("Ich komme nach 北京!", "lb") == ["ich", "komme", "nach", "北", "京"]
    assert summary_words("བོད་ཀྱི་སྐད་ཡིག།", "bo") == ["བོད", "ཀྱི", "སྐད", "ཡིག"]


def test_a_quotation_may_begin_at_any_character_of_a_script_without_blanks():
    assert units("東京は12", "ja") == ["東", "京", "は", "12"]
    assert units("ຮັກລາວ", "lo") == ["ຮັ", "ກ", "ລ", "າ", "ວ"]
    assert units("ភាសា abc", "km") == ["ភា", "សា", "abc"]
    assert units("სამი ka", "ka") == ["სამი", "ka"]


@pytest.mark.parametrize(("language", "name"), [("ja", "Japanese"), ("lo", "Lao"), ("km", "Khmer"), ("my", "Burmese")])
def test_without_the_extra_the_pip_line_is_named(monkeypatch, language, name):
    monkeypatch.setattr(splitting.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(InputError) as caught:
        check_word_splitter(language)
    assert str(caught.value) == (
        f'{name} words cannot be split; found no icu4py; install it with pip install "mwork-eval[segment]"'
    )
    for other in ("en", "zh-Hant", "bo", "am", "shn"):
        check_word_splitter(other)


def test_languages_of_the_benchmarks_are_split_as_ever():
    kinds = {
        tag: find_language(tag).words
        for tag in [
            "en",
            "de",
            "fr",
            "zh",
            "es",
            "ru",
            "vi",
            "th",
            "ar",
            "sw",
            "el",
            "hi",
            "it",
            "ja",
            "ko",
            "pt",
            "ro",
            "tr",
        ]
    }
    assert kinds.pop("zh") == "characters"
    assert kinds.pop("th") == "thai_dictionary"
    assert kinds.pop("ja") == "dictionary"
    assert set(kinds.values()) == {"blanks"}
