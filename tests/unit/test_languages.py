"""The rows of the languages: each says things that the code knows, and says them once."""

import subprocess
import sys

import pytest
import regex
import yaml

from mwork_eval.benchmarks.answers import numbers
from mwork_eval.benchmarks.answers.spelling import SPELLING_RULES, fold
from mwork_eval.benchmarks.answers.text import normalise
from mwork_eval.benchmarks.answers.words import words
from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.errors import InputError
from mwork_eval.languages import table
from mwork_eval.languages.scripts import has_capitals, languages_of, letters_per_sign, same_as
from mwork_eval.languages.table import (
    ENGLISH,
    check_language,
    find_language,
    languages,
    parse_languages,
    read_yaml,
    rows,
)


@pytest.mark.parametrize("code", rows())
def test_what_a_row_names_is_there(code):
    row = rows()[code]
    assert row.tag == code
    assert row.name
    assert row.scripts
    assert all(regex.compile(rf"\p{{Script={script}}}") for script in row.scripts)
    assert row.words in ("blanks", "characters", "thai_dictionary", "dictionary")
    assert row.spelling_rule in (None, *SPELLING_RULES)
    regex.compile(row.units)


def test_every_spelling_rule_is_of_a_language():
    assert sorted(SPELLING_RULES) == sorted(row.spelling_rule for row in rows().values() if row.spelling_rule)


def test_numbers_are_read_in_every_language_of_mgsm():
    assert all(find_language(code).numbers for code in BENCHMARKS["mgsm"].languages)


def test_no_language_is_in_both_tables():
    raw = read_yaml("scripts.yaml")
    others = [code for codes in raw["languages"].values() for code in codes.split()]
    assert len(others) == len(set(others))
    assert not set(others) & set(rows())
    assert set(raw["alphabets"]) <= set(others)
    assert len(languages()) == len(others) + len(rows())


def test_order_and_names():
    assert list(rows())[:10] == ["en", "de", "fr", "zh", "es", "ru", "vi", "th", "ar", "sw"]
    assert next(iter(rows())) == ENGLISH
    assert find_language("pl").name == "Polish"
    assert len(rows()) == 18


def test_of_an_unknown_language_nothing_is_known_and_nothing_is_guessed():
    for code in ("pl", "xx"):
        assert normalise("The 3 dogs, l'eau", code) == "the 3 dogs leau"
        assert words("a b", code) == ["a", "b"]
        assert find_language(code).numbers is None
    assert find_language("xx").scripts == ()
    assert find_language("pl").scripts == ("Latin",)


def test_numbers_of_a_language_without_rules_are_an_error_in_one_line():
    for read in (numbers.parse_number, numbers.last_number, numbers.stated_number):
        with pytest.raises(
            InputError, match="how numbers are written is not known; found Japanese; expected one of en"
        ):
            read("12", "ja")


def test_turkish_alone_has_two_letters_i():
    assert fold("IİIi", "tr") == "ıiıi"
    assert fold("IİIi", "de") == "iiii"


def test_scripts_tell_which_languages_they_write():
    assert languages_of("Thai") == {"th"}
    assert {"zh", "ja", "ko"} == languages_of("Han")
    assert same_as("hr") == {"bs", "hr", "sr"}
    assert same_as("zh") == {"zh"}
    assert has_capitals("Latin")
    assert not has_capitals("Arabic")
    assert (letters_per_sign("Han"), letters_per_sign("Thai")) == (3, 1)


def test_codes_are_checked_with_those_there_are():
    assert parse_languages("zh, en,zh") == ["zh", "en"]
    assert parse_languages("ja, jpn, Japanese") == ["ja"]
    with pytest.raises(InputError, match="no language given"):
        parse_languages(" ,")


def test_rows_are_read_only_when_asked_for():
    code = "import mwork_eval.languages.table, sys; print('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.fixture
def with_dutch(monkeypatch):
    row = """
    name: Dutch
    scripts: Latin
    articles: {words: de het een}
    spellings: {ĳ: ij}
    numbers: {answer: ["Het antwoord is"], behind: {duizend: 1000}}
    """
    caches = (table.rows, table.languages, table.find_language)
    read = table.read_yaml
    extended = {"languages.yaml": read("languages.yaml") | {"nl": yaml.safe_load(row)}}
    monkeypatch.setattr(table, "read_yaml", lambda name: extended.get(name) or read(name))
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_row_is_all_that_a_new_language_needs(with_dutch):
    assert check_language("nl") == "nl"
    assert find_language("nl").name == "Dutch"
    assert normalise("De kat, het ĳs", "nl") == "kat ijs"
    assert numbers.last_number("Samen 3 duizend.", "nl") == "3000"
    assert numbers.stated_number("Het antwoord is 12, niet 13.", "nl") == "12"
    assert find_language("nl").scripts == ("Latin",)
    assert languages()["nl"].name == "Dutch"
