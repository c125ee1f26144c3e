"""Normalise text and split it into words, each language in its own way."""

import importlib.util
import re
import unicodedata
from functools import cache
from pathlib import Path

import yaml

from mwork_eval.errors import InputError

_ARABIC_VOWELS_AND_TATWEEL = re.compile("[\u0640\u064b-\u0652\u0670]")
# Dashes that stand between words; the short ones stand within ("2010–11") and go like any other punctuation.
_DASHES_BETWEEN_WORDS = re.compile("[\u2014\u2015]")


def fold(text: str, language: str) -> str:
    """Make spellings alike that differ in form only.

    Compatibility forms (NFKC: full width, ligatures), case, every script's decimal digits (to ASCII), invisible
    format characters, and for Arabic vowel marks and tatweel.
    """
    text = unicodedata.normalize("NFKC", text)
    if language == "tr":
        # Turkish alone has a dotted and a dotless i, each with its own capital.
        text = text.replace("İ", "i").replace("I", "ı")
    text = unicodedata.normalize("NFKC", text.casefold())
    if language == "ar":
        text = _ARABIC_VOWELS_AND_TATWEEL.sub("", text)
    elif language == "th":
        # NFKC takes sara am apart; written Thai and every dictionary have it as one character.
        text = text.replace("\u0e4d\u0e32", "\u0e33")
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in text
        if unicodedata.category(char) != "Cf"
    )


def normalise(text: str, language: str) -> str:
    """Return an answer in the form in which answers are compared.

    What SQuAD's evaluation does for English (lower case, no punctuation, no articles, single blanks), for every
    script and language. A text that would vanish, such as ``$`` or ``The``, keeps what the last step would take.
    """
    # Before folding, which makes Chinese signs ASCII.
    for sign in _rule("blanks", language):
        text = text.replace(sign, " ")
    folded = _DASHES_BETWEEN_WORDS.sub(" ", fold(text, language))
    bare = "".join(char for char in folded if unicodedata.category(char)[0] not in "PS")
    stems = [_without_prefix(word, _rule("prefixes", language)) for word in bare.split()]
    return " ".join([stem for stem in stems if stem not in _articles(language)] or stems or folded.split())


def words(text: str, language: str) -> list[str]:
    """Split normalised text into words: Chinese into characters, Thai by dictionary, others at blanks.

    Numbers and Latin words within Chinese stay whole.

    Raises:
        InputError: If the language is Thai and the extra ``thai`` is not installed.
    """
    if language == "th":
        return _thai_words(text)
    return units(text, language)


def units(text: str, language: str) -> list[str]:
    """Split normalised text into the smallest pieces that a quotation may begin or end at.

    Words, but for Chinese and Thai, which write no blanks, characters with their combining marks; there numbers and
    Latin words stay whole.
    """
    return _characters(text) if language in ("zh", "th") else text.split()


def summary_words(text: str, language: str) -> list[str]:
    """Split running text into the words that overlap measures count.

    Folded, with everything that is no letter, mark or number taken as a blank; articles stay. The marks matter: a
    split at what ``re`` calls a word would cut Thai and Arabic words at their vowels.

    Raises:
        InputError: If the language is Thai and the extra ``thai`` is not installed.
    """
    folded = fold(text, language)
    return words("".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in folded), language)


def contains(unit_list: list[str], part: list[str]) -> bool:
    """Tell whether ``part`` occurs in ``unit_list`` as a run; an empty part does not."""
    width = len(part)
    return width > 0 and any(unit_list[start : start + width] == part for start in range(len(unit_list) - width + 1))


def check_word_splitter(language: str) -> None:
    """Check that the words of a language can be split, without loading what splits them.

    Raises:
        InputError: If the language is Thai and the extra ``thai`` is not installed.
    """
    if language == "th" and importlib.util.find_spec("pythainlp") is None:
        raise InputError(
            "Thai words cannot be split",
            found="no pythainlp",
            hint='install it with pip install "mwork-eval[thai]"',
        )


def _thai_words(text: str) -> list[str]:
    check_word_splitter("th")
    # Imported here because it is an extra.
    from pythainlp.tokenize import word_tokenize

    return [word for word in word_tokenize(text, engine="newmm", keep_whitespace=False) if word.strip()]


def _characters(text: str) -> list[str]:
    pieces: list[str] = []
    in_run = False
    for char in text:
        if char.isspace():
            in_run = False
        elif pieces and (unicodedata.category(char).startswith("M") or (in_run and not _stands_alone(char))):
            pieces[-1] += char
        else:
            pieces.append(char)
            in_run = not _stands_alone(char)
    return pieces


def _stands_alone(char: str) -> bool:
    return "\u0e00" <= char <= "\u0e7f" or unicodedata.east_asian_width(char) in "WF"


def _without_prefix(word: str, prefix: str) -> str:
    stem = word.removeprefix(prefix)
    return stem if sum(map(str.isalpha, stem)) >= 2 else word


@cache
def _articles(language: str) -> frozenset[str]:
    return frozenset(fold(_rule("words", language), language).split())


@cache
def _rule(kind: str, language: str) -> str:
    table = yaml.safe_load(Path(__file__).with_name("articles.yaml").read_text(encoding="utf-8"))
    rule: str = table[kind].get(language, "")
    return rule
