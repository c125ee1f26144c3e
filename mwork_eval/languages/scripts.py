"""Scripts: which a letter belongs to, and which a language is written in."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import regex
import yaml

LATIN = "Latin"
CJK = frozenset({"Han", "Hiragana", "Katakana", "Bopomofo"})
"""Scripts that Chinese and Japanese share in part; `han.py` tells the two apart."""
OTHER = "other"
"""Letters of all scripts that the table does not name."""


@dataclass(frozen=True)
class ScriptTable:
    """What `scripts.yaml` says.

    Attributes:
        scripts: Scripts by language, the usual one first.
        letters_per_sign: How many letters a sign of a script counts for, where not one.
        cased: Scripts with capital letters.
        alphabets: Letters by language, small ones; a letter beyond them is another language's.
        one_language: Groups of codes that are not told apart.
        english_words: Words that mark an English sentence.
    """

    scripts: dict[str, tuple[str, ...]]
    letters_per_sign: dict[str, int]
    cased: frozenset[str]
    alphabets: dict[str, frozenset[str]]
    one_language: tuple[frozenset[str], ...]
    english_words: frozenset[str]

    def languages_of(self, script: str) -> frozenset[str]:
        """Return the languages that are written in a script, always or sometimes."""
        return frozenset(language for language, scripts in self.scripts.items() if script in scripts)

    def same_as(self, language: str) -> frozenset[str]:
        """Return a language with those it is not told apart from."""
        return next((group for group in self.one_language if language in group), frozenset({language}))


@cache
def script_table() -> ScriptTable:
    """Read the table that ships with the package."""
    raw = yaml.safe_load(Path(__file__).with_name("scripts.yaml").read_text(encoding="utf-8"))
    return ScriptTable(
        scripts={code: tuple(names.split()) for names, codes in raw["languages"].items() for code in codes.split()},
        letters_per_sign=raw["letters_per_sign"],
        cased=frozenset(raw["cased"]),
        alphabets={code: frozenset(letters) for code, letters in raw["alphabets"].items()},
        one_language=tuple(frozenset(group.split()) for group in raw["one_language"]),
        english_words=frozenset(raw["english_words"].split()),
    )


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
    per_sign = script_table().letters_per_sign
    return Counter({script: count * per_sign.get(script, 1) for script, count in letters.items()})


def words_in(text: str, script: str) -> list[str]:
    """Return the runs of letters of one script, apostrophes inside them; none that touch a digit, which are units."""
    return [match.group() for match in _word(script).finditer(text)]


@cache
def _word(script: str) -> "regex.Pattern[str]":
    letter = rf"\p{{Script={script}}}"
    return regex.compile(rf"(?<![\p{{Nd}}{letter}]){letter}(?:[{letter}\p{{M}}]|['’]{letter})*+(?!\p{{Nd}})")


@cache
def _pattern() -> "regex.Pattern[str]":
    names = sorted({name for scripts in script_table().scripts.values() for name in scripts})
    letter = r"[\p{L}\p{M}]"
    known = "|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in names)
    return regex.compile(rf"(?={letter})(?:{known}|(?P<{OTHER}>\p{{L}}))")
