"""Normalise text, each language in its own way."""

import re
import unicodedata
from functools import cache

from mwork_eval.benchmarks.answers.digits import plain_digits, ungroup
from mwork_eval.benchmarks.answers.spelling import fold
from mwork_eval.benchmarks.answers.tables import CharacterTable
from mwork_eval.benchmarks.answers.words import words
from mwork_eval.languages.table import find_language

# Dashes that stand between words; the short ones stand within ("well–known") and go like any other punctuation.
_DASHES_BETWEEN_WORDS = re.compile("[\u2014\u2015]")
_PLAIN_SIGN = dict(zip("\u2010\u2011\u2012\u2013\u2212\u2019\u2032", "-----''", strict=True))
_PLAIN_SIGNS = CharacterTable(lambda char: _PLAIN_SIGN.get(char, char))
_DATE = re.compile(r"(?<!\d)(?:\d+(?:[./-]\d+){2,}|\d{4}/\d{1,4})")
_COMMA_IN_LIST = re.compile(r"(?<=\d),(?=\d)")
_SIGN_OF_NUMBER = re.compile(
    r"((?<=\d)[./:'-](?=\d)|(?<![^\s(\[{\"'])-(?=[$€£¥₽฿₹]?\d)|\u207b(?=[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]))"
)
# Arrows, and signs that say "about", as the tilde does in ASCII.
_WITHOUT_VALUE = re.compile("[\u2190-\u21ff\u27f0-\u27ff\u2248\u223c\u2243\u2245]")
# Other signs that change a value. A sign of currency (but the dollar, as in SQuAD) or a degree is a word of its own.
_SHARP_AND_FLAT = "♭♯"
_WORD_SIGN = re.compile("[°\u00a2-\u00a5\u058f\u060b\u09f2\u09f3\u0e3f\u17db\u20a0-\u20cf]")


def normalise(text: str, language: str) -> str:
    """Return an answer in the form in which answers are compared.

    What SQuAD's evaluation does for English (lower case, no punctuation, no articles, single blanks), for every
    script and language, but so that different numbers stay different: 3.5 keeps its point, 1/2 its stroke, -5 its
    minus, 10:30 its colon, and 1,000 is 1000 (the rule of ``ungroup``); mathematical signs, currencies other than the
    dollar and degrees stay. A text that would vanish, such as ``$`` or ``The``, keeps what the last step would take.
    """
    text = ungroup(plain_digits(text))
    # Before folding, which makes Chinese signs ASCII.
    text = text.translate(_blanks(language))
    folded = _DASHES_BETWEEN_WORDS.sub(" ", fold(text, language)).translate(_PLAIN_SIGNS)
    bare = _WORD_SIGN.sub(r" \g<0> ", _without_signs(_numbers(folded)))
    stems = [_without_prefix(word, language) for word in bare.split()]
    return " ".join([stem for stem in stems if stem not in _articles(language)] or stems or folded.split())


def summary_words(text: str, language: str) -> list[str]:
    """Split running text into the words that overlap measures count.

    Folded, with everything that is no letter, mark or number taken as a blank; articles stay. The marks matter: a
    split at what ``re`` calls a word would cut Thai and Arabic words at their vowels.

    Raises:
        InputError: As `words`.
    """
    folded = fold(text, language)
    return words(folded.translate(_LETTERS), language)


_LETTERS = CharacterTable(lambda char: char if unicodedata.category(char)[0] in "LMN" else " ")


def contains(unit_list: list[str], part: list[str]) -> bool:
    """Tell whether ``part`` occurs in ``unit_list`` as a run; an empty part does not."""
    width = len(part)
    return width > 0 and any(unit_list[start : start + width] == part for start in range(len(unit_list) - width + 1))


def _numbers(folded: str) -> str:
    """Write dates with hyphens, and lists of numbers with blanks."""
    dated = _DATE.sub(lambda match: re.sub(r"[./]", "-", match.group()), folded)
    return _COMMA_IN_LIST.sub(" ", dated)


def _without_signs(text: str) -> str:
    pieces = _SIGN_OF_NUMBER.split(text)
    return "".join(piece if index % 2 else piece.translate(_SIGNS) for index, piece in enumerate(pieces))


def _is_dropped(char: str) -> bool:
    category = unicodedata.category(char)
    if category == "Sm" and not char.isascii():
        # A sign of mathematics changes the value: ±5, √2.
        return _WITHOUT_VALUE.match(char) is not None
    return category[0] in "PS" and char not in _SHARP_AND_FLAT and _WORD_SIGN.match(char) is None


_SIGNS = CharacterTable(lambda char: None if _is_dropped(char) else char)


def _without_prefix(word: str, language: str) -> str:
    prefix = find_language(language).articles.prefix
    if not prefix or word in _undivided(language):
        return word
    stem = word.removeprefix(prefix)
    return stem if sum(map(str.isalpha, stem)) >= 2 else word


@cache
def _undivided(language: str) -> frozenset[str]:
    return frozenset(find_language(language).articles.undivided.split())


@cache
def _blanks(language: str) -> CharacterTable:
    blanks = find_language(language).blanks
    return CharacterTable(lambda char: " " if char in blanks else char)


@cache
def _articles(language: str) -> frozenset[str]:
    return frozenset(fold(find_language(language).articles.words, language).split())
