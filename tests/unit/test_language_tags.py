"""Any language by tag, code or English name: one canonical tag, and what is known of it."""

import subprocess
import sys
from itertools import combinations

import pytest
from helpers.neuron_sets import ZH

from mwork_eval.application.object_arguments import sets_by_language
from mwork_eval.benchmarks.answers.text import normalise
from mwork_eval.benchmarks.answers.words import words
from mwork_eval.benchmarks.rows import task_of
from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.detection.corpus.sources import corpora_of, parse_corpora
from mwork_eval.errors import InputError
from mwork_eval.languages.table import (
    base_of,
    check_language,
    find_language,
    is_tag,
    languages,
    parse_languages,
    tag_of,
)

TAGS = {
    # Tags, and codes of ISO 639-1.
    "ja": "ja",
    "JA": "ja",
    "pt-BR": "pt-BR",
    "pt_br": "pt-BR",
    "zh-Hant": "zh-Hant",
    "zh_hans": "zh-Hans",
    "zh-TW": "zh-TW",
    "zh-hant-hk": "zh-Hant-HK",
    "sr-Latn": "sr-Latn",
    "ca-valencia": "ca-valencia",
    "es-419": "es-419",
    "ja-Jpan": "ja",
    "en-Latn-US": "en-US",
    " yue ": "yue",
    # Codes of ISO 639-2 and 639-3, also those of FLORES.
    "jpn": "ja",
    "zho": "zh",
    "chi": "zh",
    "deu": "de",
    "ger": "de",
    "fre": "fr",
    "nob": "nb",
    "arz": "arz",
    "yue": "yue",
    "jpn_Jpan": "ja",
    "zho_Hant": "zh-Hant",
    # Individual languages are not their macrolanguages.
    "cmn": "cmn",
    "arb": "arb",
    "swh": "swh",
    "pes": "pes",
    "lvs": "lvs",
    "zsm": "zsm",
    # Extended and older forms.
    "zh-cmn": "cmn",
    "zh-yue": "yue",
    "ar-arz": "arz",
    "zh-min-nan": "nan",
    "iw": "he",
    "tl": "fil",
    # English names.
    "Japanese": "ja",
    "egyptian arabic": "arz",
    "Egyptian Arabic": "arz",
    "Standard Arabic": "arb",
    "Chinese": "zh",
    "Mandarin Chinese": "cmn",
    "Cantonese": "yue",
    "Traditional Chinese": "zh-Hant",
    "Chinese (Traditional)": "zh-Hant",
    "Portuguese (Brazil)": "pt-BR",
    "Brazilian Portuguese": "pt-BR",
    "Serbian (Latin)": "sr-Latn",
    "Farsi": "fa",
    "Burmese": "my",
    "Thai": "th",
    "Swiss German": "gsw",
    "Klingon": "tlh",
}


@pytest.mark.parametrize(("text", "tag"), TAGS.items())
def test_a_tag_a_code_or_a_name_is_one_tag(text, tag):
    assert check_language(text) == tag
    assert check_language(tag) == tag
    assert is_tag(tag)
    assert is_tag(text) == (text == tag)


def test_codes_of_the_tables_are_tags():
    from langcodes import standardize_tag

    assert [code for code in languages() if standardize_tag(code) != code] == []


NO_LANGUAGES = ["", "-", "xx", "und", "mul", "zxx", "qaa", "x-mine", "en-x-mine", "de-u-co-phonebk", "en-ZZ", "zh-Zzzz"]
NO_LANGUAGES += [
    "Germanium",
    "Englishman",
    "Chinese, Foo",
    "../ja",
    "ja=x",
    "pt_BR.UTF-8",
    "en-US-US",
    "日本語",
    "a" * 300,
]


@pytest.mark.parametrize("text", NO_LANGUAGES)
def test_what_names_no_language_is_refused(text):
    with pytest.raises(InputError, match=r"unknown language; found .*; expected a tag such as ja, pt-BR"):
        check_language(text)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("jp", "ja (Japanese)"),
        ("cn", "zh (Chinese)"),
        ("Portugese", "pt (Portuguese)"),
        ("Germanium", "de (German)"),
        ("Swahilli", "sw (Swahili)"),
    ],
)
def test_what_may_be_meant_is_named(text, near):
    with pytest.raises(InputError) as caught:
        check_language(text)
    assert f"near it are {near}" in str(caught.value)


FACTS = {
    # tag: name, base, scripts, direction
    "ja": ("Japanese", "ja", ("Han", "Hiragana", "Katakana"), "ltr"),
    "zh": ("Chinese", "zh", ("Han", "Bopomofo"), "ltr"),
    "zh-Hans": ("Chinese (Simplified)", "zh", ("Han",), "ltr"),
    "zh-Hant": ("Chinese (Traditional)", "zh", ("Han", "Bopomofo"), "ltr"),
    "cmn": ("Mandarin Chinese", "zh", ("Han", "Bopomofo"), "ltr"),
    "yue": ("Cantonese", "yue", ("Han", "Bopomofo"), "ltr"),
    "ar": ("Arabic", "ar", ("Arabic",), "rtl"),
    "arb": ("Standard Arabic", "ar", ("Arabic",), "rtl"),
    "arz": ("Egyptian Arabic", "arz", ("Arabic",), "rtl"),
    "pt-BR": ("Portuguese (Brazil)", "pt", ("Latin",), "ltr"),
    "sr": ("Serbian", "sr", ("Cyrillic", "Latin"), "ltr"),
    "sr-Latn": ("Serbian (Latin)", "sr", ("Latin",), "ltr"),
    "pa-Arab": ("Punjabi (Arabic)", "pa", ("Arabic",), "rtl"),
    "chr": ("Cherokee", "chr", ("Cherokee",), "ltr"),
    "ff-Adlm": ("Fula (Adlam)", "ff", ("Adlam",), "rtl"),
    "he": ("Hebrew", "he", ("Hebrew",), "rtl"),
    "dv": ("Divehi", "dv", ("Thaana",), "rtl"),
    # Where no script is recorded, none is guessed.
    "ksw": ("S'gaw Karen", "ksw", (), None),
}


@pytest.mark.parametrize("tag", FACTS)
def test_a_language_has_tag_name_scripts_and_direction(tag):
    language = find_language(tag)
    assert language.tag == tag
    assert (language.name, base_of(tag), language.scripts, language.direction) == FACTS[tag]


def test_languages_that_are_near_stay_apart():
    for group in ("zh zh-Hans zh-Hant zh-TW cmn yue", "ar arb arz", "hr sr sr-Latn bs"):
        group = group.split()
        assert len({check_language(tag) for tag in group}) == len(group)
        assert all(find_language(one) != find_language(other) for one, other in combinations(group, 2))
    assert parse_languages("zh-Hant, cmn, zh-Hans, zho") == ["zh-Hant", "cmn", "zh-Hans", "zh"]


def test_a_variety_has_the_rules_of_its_base():
    assert normalise("О́зеро ёлка", "ru-KZ") == normalise("О́зеро ёлка", "ru") == "озеро елка"
    assert words("今天天气3度", "zh-Hant") == words("今天天气3度", "cmn") == ["今", "天", "天", "气", "3", "度"]
    assert find_language("pt-BR").numbers is find_language("pt").numbers
    assert find_language("zh-Hant").numbers == find_language("cmn").numbers == find_language("zh").numbers
    assert find_language("en-GB").common_words == find_language("en").common_words


def test_a_member_of_a_macrolanguage_has_the_rules_of_writing_only():
    assert normalise("الكِتَابُ", "arz") == normalise("الكِتَابُ", "ar") == "كتاب"
    assert words("佢哋喺香港", "yue") == list("佢哋喺香港")
    assert find_language("arz").numbers is find_language("yue").numbers is None
    assert not find_language("arz").alphabet
    # One whose script is another, or is not known, has none of them.
    assert find_language("cdo").words == find_language("sr-Latn").words == "boundaries"
    assert not find_language("sr-Latn").alphabet


def test_of_tasks_that_are_not_ours_only_the_languages_of_the_rows_are_taken_off():
    def parts(name):
        found = TaskName.of(name)
        return found.task, found.language

    assert parts("xquad_zh") == ("xquad", "zh")
    assert parts("belebele_ja") == ("belebele", "ja")
    assert parts("bpb_arz") == ("bpb", "arz")
    assert parts("bpb_zh-Hant") == ("bpb", "zh-Hant")
    for name in ("foo_is", "mmlu_no", "arc_yue", "xquad_ca", "global_mmlu_full_am", "bpb_xx", "bpb_jpn", "bpb"):
        assert parts(name) == (name, None)


def test_of_free_text_every_canonical_tag_is_a_task():
    assert task_of("bpb_yue") == ("bpb", "yue")
    assert task_of("bpb_pt-BR") == ("bpb", "pt-BR")
    assert task_of("xquad_fr") == ("xquad", "fr")
    for name in ("bpb_xx", "bpb_jpn", "bpb_pt_br", "bpb_Japanese", "bpb_", "xquad_ca", "xquad_zh-Hant", "mgsm_a_ja"):
        assert task_of(name) is None


def test_the_registries_are_read_only_for_languages_beyond_the_tables():
    code = """if True:
    import sys
    from mwork_eval.languages.table import check_language, find_language, is_tag
    import mwork_eval.evaluation.families.codes
    print("langcodes" in sys.modules)
    [check_language(code) for code in ("en", "ja", "pl")], find_language("zh"), is_tag("am")
    print("langcodes" in sys.modules)
    check_language("yue")
    print("langcodes" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]


def test_corpora_and_sets_are_told_apart_by_tag_and_given_in_any_form(tmp_path):
    (tmp_path / "zh.txt").write_text("天\n", encoding="utf-8")
    corpora = parse_corpora([f"{form}={tmp_path}/zh.txt" for form in ("zh_hans", "zho", "Traditional Chinese")], None)
    assert [corpus.language for corpus in corpora] == ["zh-Hans", "zh", "zh-Hant"]
    with pytest.raises(InputError, match="two corpora for one language; found zh zh"):
        parse_corpora([f"zho={tmp_path}/zh.txt", f"Chinese={tmp_path}/zh.txt"], None)
    with pytest.raises(InputError, match="two corpora for one language; found ja ja"):
        corpora_of({"ja": ["一"], "Japanese": ["二"]})
    both = corpora_of({"zh-Hans": ["国"], "Chinese (Traditional)": ["國"]})
    assert [corpus.language for corpus in both] == ["zh-Hans", "zh-Hant"]


def test_sets_in_memory_are_given_by_any_form_of_a_language():
    assert list(sets_by_language({"jpn": ZH, "Traditional Chinese": ZH, "mine": ZH})) == ["ja", "zh-Hant", "mine"]


def test_the_embedded_texts_say_which_languages_they_have():
    with pytest.raises(InputError) as caught:
        parse_corpora([], ["en", "ja"])
    assert str(caught.value) == (
        "the embedded texts have no ja (Japanese); expected de en es fr ru zh; "
        "name a corpus of it, ja=FILE or ja=hub:NAME"
    )


def test_a_control_character_makes_no_language():
    assert tag_of("\x00rde") is None
    assert tag_of("German\x00") is None
