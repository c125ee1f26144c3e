"""Split normalised text into words, each language in its own way."""

import importlib.util
import unicodedata
from collections.abc import Callable
from functools import cache

import regex

from mwork_eval.errors import InputError
from mwork_eval.languages.table import Words, find_language

_BOUNDARY = regex.compile(r"(?V1w)(?<=[\p{L}\p{M}\p{Nd}])\b(?=[\p{L}\p{Nd}])")
"""A boundary of Unicode's word segmentation (UAX 29) between letters or digits: signs of numbers stay with them."""
_EXTRAS: dict[Words, tuple[str, str]] = {"thai_dictionary": ("pythainlp", "thai"), "dictionary": ("icu4py", "segment")}
"""The package that each dictionary needs, and the extra that installs it."""


def words(text: str, language: str) -> list[str]:
    """Split normalised text into words as what is known of the language says.

    At blanks in the languages of the benchmarks that write them; in others that do also where Unicode sees a
    boundary (UAX 29), as around a Chinese name. In languages without blanks by a dictionary, or into characters.
    Numbers and Latin words within characters stay whole.

    Raises:
        InputError: If the language needs a dictionary whose extra is not installed.
    """
    return _SPLITTERS[find_language(language).words](text, language)


def units(text: str, language: str) -> list[str]:
    """Split normalised text into the smallest pieces that a quotation may begin or end at.

    Words, but in languages without blanks characters with their combining marks; there numbers and Latin words stay
    whole.
    """
    kind = find_language(language).words
    return _SPLITTERS[kind if kind in ("blanks", "boundaries") else "characters"](text, language)


def check_word_splitter(language: str) -> None:
    """Check that the words of a language can be split, without loading what splits them.

    Raises:
        InputError: If the language needs a dictionary whose extra is not installed.
    """
    rules = find_language(language)
    package, extra = _EXTRAS.get(rules.words, (None, None))
    if package is not None and importlib.util.find_spec(package) is None:
        raise InputError(
            f"{rules.name} words cannot be split",
            found=f"no {package}",
            hint=f'install it with pip install "mwork-eval[{extra}]"',
        )


def _at_blanks(text: str, language: str) -> list[str]:
    return text.split()


def _at_boundaries(text: str, language: str) -> list[str]:
    return [piece for chunk in text.split() for piece in ([chunk] if chunk.isascii() else _BOUNDARY.split(chunk))]


def _by_thai_dictionary(text: str, language: str) -> list[str]:
    check_word_splitter(language)
    # Imported here because it is an extra.
    from pythainlp.tokenize import word_tokenize

    return [word for word in word_tokenize(text, engine="newmm", keep_whitespace=False) if word.strip()]


def _by_dictionary(text: str, language: str) -> list[str]:
    """Split by ICU, whose dictionaries are those of browsers; what has no letter that stands alone stays whole."""
    check_word_splitter(language)
    from icu4py.breakers import WordBreaker

    alone = _alone(language)
    return [
        piece
        for chunk in text.split()
        for piece in (map(str, WordBreaker(chunk, language)) if any(map(alone, chunk)) else [chunk])
    ]


def _characters(text: str, language: str) -> list[str]:
    alone = _alone(language)
    pieces: list[str] = []
    in_run = False
    for char in text:
        if char.isspace():
            in_run = False
        elif pieces and (unicodedata.category(char).startswith("M") or (in_run and not alone(char))):
            pieces[-1] += char
        else:
            pieces.append(char)
            in_run = not alone(char)
    return pieces


@cache
def _alone(language: str) -> Callable[[str], bool]:
    """Return what says whether a character is a unit of its own: Thai, wide ones, and the letters of the language."""
    scripts = find_language(language).scripts
    own = regex.compile(rf"\p{{Script={scripts[0]}}}" if scripts else r"(?!)")

    @cache
    def stands_alone(char: str) -> bool:
        wide = "\u0e00" <= char <= "\u0e7f" or unicodedata.east_asian_width(char) in "WF"
        return wide or (not char.isascii() and own.match(char) is not None)

    return stands_alone


_SPLITTERS: dict[Words, Callable[[str, str], list[str]]] = {
    "blanks": _at_blanks,
    "boundaries": _at_boundaries,
    "characters": _characters,
    "thai_dictionary": _by_thai_dictionary,
    "dictionary": _by_dictionary,
}
"""How words are split, by the name that a language's row says."""
