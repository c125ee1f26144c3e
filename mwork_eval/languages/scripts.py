"""Scripts: which a letter belongs to, and which a language is written in."""

from collections import Counter
from functools import cache

import regex

from mwork_eval.languages.table import languages, read_yaml

LATIN = "Latin"
CJK = frozenset({"Han", "Hiragana", "Katakana", "Bopomofo"})
"""Scripts that Chinese and Japanese share in part; `han.py` tells the two apart."""
OTHER = "other"
"""Letters of all scripts that the table does not name."""


@cache
def languages_of(script: str) -> frozenset[str]:
    """Return the languages that are written in a script, always or sometimes."""
    return frozenset(code for code, language in languages().items() if script in language.scripts)


@cache
def same_as(language: str) -> frozenset[str]:
    """Return a language with those it is not told apart from."""
    groups = [frozenset(group.split()) for group in read_yaml("scripts.yaml")["one_language"]]
    return next((group for group in groups if language in group), frozenset({language}))


def has_capitals(script: str) -> bool:
    """Say whether a script has capital letters, so that a word that begins with one may be a name."""
    return script in read_yaml("scripts.yaml")["cased"]


def letters_per_sign(script: str) -> int:
    """Return how many letters a sign of a script says as much as."""
    letters: int = read_yaml("scripts.yaml")["letters_per_sign"].get(script, 1)
    return letters


@cache
def script_of(char: str) -> str | None:
    """Return the script of a letter or of a mark that belongs to one script, `OTHER`, or None for other characters."""
    match = _pattern().fullmatch(char)
    return match.lastgroup if match else None


def count_letters(text: str) -> Counter[str]:
    """Count the letters and marks of a text by script."""
    found = Counter(map(script_of, text))
    return Counter({script: count for script, count in found.items() if script is not None})


def weigh(letters: Counter[str]) -> Counter[str]:
    """Return counts of letters with signs counted for as many letters as they say as much as."""
    return Counter({script: count * letters_per_sign(script) for script, count in letters.items()})


def words_in(text: str, script: str) -> list[str]:
    """Return the runs of letters of one script, apostrophes inside them; none that touch a digit, which are units."""
    return [match.group() for match in _word(script).finditer(text)]


@cache
def _word(script: str) -> "regex.Pattern[str]":
    letter = rf"\p{{Script={script}}}"
    return regex.compile(rf"(?<![\p{{Nd}}{letter}]){letter}(?:[{letter}\p{{M}}]|['’]{letter})*+(?!\p{{Nd}})")


@cache
def _pattern() -> "regex.Pattern[str]":
    names = sorted({script for language in languages().values() for script in language.scripts})
    letter = r"[\p{L}\p{M}]"
    known = "|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in names)
    return regex.compile(rf"(?={letter})(?:{known}|(?P<{OTHER}>\p{{L}}))")
