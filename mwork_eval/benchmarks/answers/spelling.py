"""Make spellings alike that differ in form only, each language in its own way."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache

from mwork_eval.benchmarks.answers.digits import plain_digits
from mwork_eval.benchmarks.answers.tables import CharacterTable
from mwork_eval.languages.table import find_language, rows

_SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
_TO_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_CARET = re.compile(r"\^(?:\{(-?[0-9]+)\}|(-?[0-9]+))")
# Raised digits, and lowered ones beside others, are values of their own; compatibility forms would lose that.
_APART = re.compile(f"(\u207b?[{_SUPERSCRIPTS}]+|(?<=\\d)[\u2080-\u2089]+|[\u2080-\u2089]+(?=\\d))")
# One character that stands for a whole number: ½, ①, ㏠. Beside a digit it must not grow together with it.
_WHOLE_NUMBERS = (
    "\u00bc-\u00be\u2150-\u215f\u2189\u2460-\u249b\u24ea-\u24ff\u2776-\u2793"
    "\u3251-\u325f\u32b1-\u32bf\u32c0-\u32cb\u3358-\u3370\u33e0-\u33fe"
)
_NUMBER_IN_ONE = re.compile(f"[\u207b{_SUPERSCRIPTS}\u2080-\u2089{_WHOLE_NUMBERS}]")
_NUMBER_BESIDE_DIGIT = re.compile(rf"(?<=\d)(?=[{_WHOLE_NUMBERS}])|(?<=[{_WHOLE_NUMBERS}])(?=\d)")
# Trade marks, which compatibility forms make letters; choosers of a glyph, keycaps, the grapheme joiner; apostrophes
# that Unicode counts as letters or accents.
_FORM_ONLY = {
    **dict.fromkeys([0x2120, 0x2122, 0x20E3, 0x034F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)], ""),
    **dict.fromkeys(map(ord, "\u02bc\u02bb\u00b4"), "'"),
}
_FIRST = CharacterTable(lambda char: plain_digits(_FORM_ONLY.get(ord(char), char)))
_LAST = CharacterTable(
    lambda char: None if unicodedata.category(char) == "Cf" else "/" if char == "\u2044" else plain_digits(char)
)
_PLAIN_SIGN = (
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u300c\u300d\u300e\u300f", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
_PLAIN_SIGNS = CharacterTable(lambda char: _PLAIN_SIGN.get(char, char))

_ARABIC_MARKS_AND_TATWEEL = re.compile(
    "[\u0640\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
_GREEK_MARKS = re.compile("[\u0300\u0301\u0304\u0306\u0308\u0313\u0314\u0342\u0345]")
_RUSSIAN_STRESS = re.compile("(?<=[аеиоуыэюя])[\u0300\u0301]")
# In full letters or as a dot over the next consonant of the same place: हिन्दी, हिंदी.
_HINDI_NASAL = re.compile("ङ\u094d(?=[क-घ])|ञ\u094d(?=[च-झ])|ण\u094d(?=[ट-ढ])|न\u094d(?=[त-ध])|म\u094d(?=[प-भ])|\u0901")
# Sara am in the order consonant, ring, tone, aa, as some keyboards leave it, and taken apart by compatibility forms.
_THAI_AM = re.compile("\u0e4d([\u0e48-\u0e4b]?)\u0e32")
# The vowel that carries the tone of oa, oe, uy (hòa, hoà); of qu and gi the vowel is the next one.
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_VIETNAMESE_TONE = re.compile(
    f"(?:(?<=o)(?P<o>[{_TONES}])(?P<after_o>[ae]\u0306?\u0302?)"
    f"|(?<=u)(?P<u>[{_TONES}])(?P<after_u>y|e\u0302|o\u031b)"
    f"|(?<=qu)(?P<qu>[{_TONES}])(?P<after_qu>[aeio]\u0306?\u0302?\u031b?)"
    f"|(?<=gi)(?P<gi>[{_TONES}])(?P<after_gi>[aeou]\u0306?\u0302?\u031b?))"
)


def fold(text: str, language: str) -> str:
    """Make spellings alike that differ in form only.

    Compatibility forms (NFKC: full width, ligatures) except where they would make another number (``½`` is ``1/2``,
    ``5²`` stays), case, every script's decimal digits (to ASCII), invisible characters, apostrophes that count as
    letters, and what is optional in the language's spelling, as its row says: `capitals`, `spellings`, and a rule here.
    """
    if "^" in text:
        text = _CARET.sub(lambda match: (match[1] or match[2]).translate(_TO_SUPERSCRIPT), plain_digits(text))
    if capitals := find_language(language).capitals:
        text = _replaced(unicodedata.normalize("NFC", text), capitals)
    if text.isascii():
        return text.casefold()
    text = unicodedata.normalize("NFC", text).translate(_FIRST)
    if _NUMBER_IN_ONE.search(text):
        text = _unit().sub(lambda match: match[1] + unicodedata.normalize("NFKC", match[2]), text)
        text = _NUMBER_BESIDE_DIGIT.sub(" ", text)
        text = "".join(piece if index % 2 else _without_forms(piece) for index, piece in enumerate(_APART.split(text)))
    else:
        text = _without_forms(text)
    return _in_language(text.replace("i\u0307", "i"), language).translate(_LAST)


def fold_with_signs(text: str, language: str) -> str:
    """Fold a text whose punctuation counts: quotation marks, apostrophes and dashes get their plain form, too."""
    return fold(text, language).translate(_PLAIN_SIGNS)


def _without_forms(text: str) -> str:
    # Again, because case folding may leave letters and marks to compose.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _in_language(text: str, language: str) -> str:
    rules = find_language(language)
    text = _replaced(text, rules.spellings)
    return SPELLING_RULES[rules.spelling_rule](text) if rules.spelling_rule else text


def _replaced(text: str, common: Mapping[str, str]) -> str:
    for spelling, other in common.items():
        text = text.replace(spelling, other)
    return text


@cache
def _unit() -> re.Pattern[str]:
    """Match a unit of length with a raised 2 or 3, which there is a matter of spelling (km², km2).

    After anything else it is a power (5², 52).
    """
    units = "|".join(["[mcdk]?m", *(row.units for row in rows().values() if row.units)])
    return re.compile(rf"(?<![^\W\d_])((?:{units})\.?)([²³])", re.IGNORECASE)


def _without_vowels(text: str) -> str:
    return _ARABIC_MARKS_AND_TATWEEL.sub("", text)


def _without_stress(text: str) -> str:
    # й and ё are letters: composed, they hold no mark that could be taken for the stress.
    return _RUSSIAN_STRESS.sub("", text)


def _nasals_as_dots(text: str) -> str:
    return _HINDI_NASAL.sub("\u0902", text)


def _sara_am_in_one(text: str) -> str:
    return _THAI_AM.sub("\\1\u0e33", text)


def _without_accents(text: str) -> str:
    return " ".join(map(_without_greek_accents, text.split(" ")))


def _without_greek_accents(word: str) -> str:
    # "Or" alone keeps its accent in capitals: without it, it is the article.
    if word.strip("«»()[],.;:\u0387\u037e\"'") == "ή":
        return word
    return unicodedata.normalize("NFC", _GREEK_MARKS.sub("", unicodedata.normalize("NFD", word)))


def _tone_on_the_last_vowel(text: str) -> str:
    return unicodedata.normalize("NFC", _VIETNAMESE_TONE.sub(_tone_last, unicodedata.normalize("NFD", text)))


def _tone_last(match: re.Match[str]) -> str:
    kind = match.lastgroup
    assert kind is not None
    return match[kind] + match[kind.removeprefix("after_")]


SPELLING_RULES: dict[str, Callable[[str], str]] = {
    "nasals_as_dots": _nasals_as_dots,
    "sara_am_in_one": _sara_am_in_one,
    "tone_on_the_last_vowel": _tone_on_the_last_vowel,
    "without_accents": _without_accents,
    "without_stress": _without_stress,
    "without_vowels": _without_vowels,
}
"""What languages leave to the writer beyond single letters, by the name that their rows say."""
