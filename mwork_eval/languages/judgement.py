"""Whether a text is in the language it was asked for, in English, in another one, or in one that cannot be told.

The script comes first: a language with a script of its own is known by it, and names in Latin letters inside change
nothing. Languages that share a script are told apart by the letters that only one of them has, then by the identifier.
What neither tells is undecided: there is no language by default.
"""

import unicodedata
from enum import Enum

import regex

from mwork_eval.languages.han import CHINESE_SCRIPTS, HAN_LANGUAGES, chinese_or_japanese, simplified_or_traditional
from mwork_eval.languages.identifier import DISTANCE, identify, known_languages
from mwork_eval.languages.scripts import (
    CJK,
    LATIN,
    count_letters,
    has_capitals,
    languages_of,
    same_as,
    weigh,
    words_in,
)
from mwork_eval.languages.table import ENGLISH, base_of, find_language, languages
from mwork_eval.languages.tags import facts_of

CHARACTERS = 1000
"""Enough to decide; longer texts only cost time."""
_FEWEST_LETTERS = 3
"""Fewer may be a unit, a variable or an abbreviation, which every language shares."""
_FEWEST_FOR_IDENTIFIER = 8
_MOSTLY, _HARDLY = 1 / 2, 1 / 5
"""A text is in the script that most of its letters have, and not in one that only a fifth has; between, undecided."""
_FOREIGN_WORDS = 1 / 5
"""Share of words beyond a language's alphabet that is more than a quoted name."""
_ENGLISH_WORDS = 1 / 5
_FEWEST_WORDS, _FEWEST_WORDS_WITHOUT_CAPITALS = 2, 3
"""Words that are no names, for a wrong language; where capitals do not show names, one more."""
_RUNNING_TEXT = 5
_DISTANCE_OF_WRONG = 0.1
"""How far English must lead where the script has said already that the language is wrong."""
_NO_LANGUAGE = regex.compile(r"https?://\S+|www\.\S+|\S+@\S+|\\[A-Za-z]+|<[^<>\s]{1,40}>|`[^`]*`")
"""Addresses, commands of LaTeX, tags and code."""


class Judgement(Enum):
    """The language of a text, seen from the one that was asked for."""

    ASKED = "asked"
    ENGLISH = "english"
    OTHER = "other"
    UNDECIDED = "undecided"


def decided_by_script(language: str) -> bool:
    """Say whether a language's usual script alone tells it: no other language has it, or Chinese and Japanese do.

    Cantonese and other languages of Chinese signs are not told from Chinese.
    """
    scripts, base = find_language(language).scripts, base_of(language)
    return bool(scripts) and (base in HAN_LANGUAGES if scripts[0] in CJK else languages_of(scripts[0]) == {base})


def can_judge(language: str) -> bool:
    """Say whether texts in a language can be recognised: by the script, or by the identifier if it is installed.

    If they cannot, nothing is judged: only the wrong answers would be. A variety is recognised as its base (`pt-BR` as
    `pt`, `cmn` as `zh`) if it has a script in which the base is known; a member of a macrolanguage that is no standard
    form of it (`arz`) is not.
    """
    if decided_by_script(language):
        return True
    scripts, base = find_language(language).scripts, base_of(language)
    known_in = {script for code in same_as(base) for script in find_language(code).scripts[:1]}
    return base in known_languages() and not known_in.isdisjoint(scripts[:1])


def judge_text(text: str, language: str) -> Judgement:
    """Judge the language of a text.

    Args:
        text: Any text; the first `CHARACTERS` characters count.
        language: Tag of the language that was asked for.
    """
    if not can_judge(language):
        return Judgement.UNDECIDED
    text = _NO_LANGUAGE.sub(" ", unicodedata.normalize("NFKC", text[:CHARACTERS]))
    own_scripts = set(find_language(language).scripts)
    if CJK & own_scripts:
        own_scripts |= CJK
    weights = weigh(count_letters(text))
    own = sum(weights[script] for script in own_scripts)
    latin = sum(map(len, _not_names(words_in(text, LATIN)))) if LATIN not in own_scripts else 0
    foreign = sum(count for script, count in weights.items() if script not in own_scripts | {LATIN})
    total = own + latin + foreign
    if total < _FEWEST_LETTERS:
        return Judgement.UNDECIDED
    if LATIN not in own_scripts and _is_english_frame(text, own):
        return _judge_frame(text, own, weights[LATIN])
    if own >= _MOSTLY * total:
        return _judge_own_script(text, language, max(own_scripts, key=weights.__getitem__))
    if own > _HARDLY * total:
        return Judgement.UNDECIDED
    return Judgement.OTHER if foreign > latin else _judge_latin(text)


def _not_names(words: list[str]) -> list[str]:
    return [word for word in words if word[0].islower()]


def _is_english_frame(text: str, own: int) -> bool:
    """Say whether a text in another script has an English sentence around it ("The capital of Thailand is ...")."""
    words = [word.lower() for word in words_in(text, LATIN)]
    marks = {"a", "i", "it"}  # Letters of a list, and the "it" of titles.
    return len(set(words) & (find_language(ENGLISH).common_words - marks)) >= 2 and sum(map(len, words)) * 2 >= own


def _judge_frame(text: str, own: int, latin: int) -> Judgement:
    return _judge_latin(text) if own * 2 <= latin else Judgement.UNDECIDED


def _judge_latin(text: str) -> Judgement:
    """Judge Latin letters where another script was asked for: if they are no names, they are a wrong language."""
    words = words_in(text, LATIN)
    lower = _not_names(words)
    sure = len(lower) >= 2 and sum(map(len, lower)) >= _FEWEST_FOR_IDENTIFIER
    marked = sum(word.lower() in find_language(ENGLISH).common_words for word in words) >= _ENGLISH_WORDS * len(words)
    if sure and marked:
        return Judgement.ENGLISH
    if not lower or not known_languages():
        return Judgement.OTHER if sure else Judgement.UNDECIDED
    # That it is wrong is known from the script of enough words; of fewer, only English is recognised.
    found = identify(" ".join(words), None, LATIN, _DISTANCE_OF_WRONG if sure else DISTANCE)
    return Judgement.ENGLISH if found == ENGLISH else Judgement.OTHER if sure else Judgement.UNDECIDED


def _judge_own_script(text: str, language: str, script: str) -> Judgement:
    """Judge a text in a script of the language."""
    asked, language = language, base_of(language)
    if script in CJK:
        return _judge_signs(text, asked, language)
    if languages_of(script) == {language}:
        return Judgement.ASKED
    words = words_in(text, script)
    with_alphabet = _languages_with_alphabet(script)
    possible = {code for code in with_alphabet if _fits_alphabet(words, code)}
    if language in with_alphabet and (language not in possible or possible == {language}):
        return Judgement.ASKED if language in possible else Judgement.OTHER
    lower = _not_names(words) if has_capitals(script) else words
    if not lower or sum(map(len, words)) < _FEWEST_FOR_IDENTIFIER:
        return Judgement.UNDECIDED
    found = identify(" ".join(words), language, script)
    if found is None or found in with_alphabet - possible:
        return Judgement.UNDECIDED
    if found == language:
        return Judgement.ASKED
    fewest = _FEWEST_WORDS if has_capitals(script) else _FEWEST_WORDS_WITHOUT_CAPITALS
    return _judge_wrong(found, len(words), len(lower), fewest)


def _judge_signs(text: str, asked: str, base: str) -> Judgement:
    found = chinese_or_japanese(text)
    if found != base:
        return Judgement.UNDECIDED if found is None else Judgement.OTHER
    facts = facts_of(asked) if asked != base else None
    if facts is None or facts.script not in CHINESE_SCRIPTS or "-" not in asked:
        return Judgement.ASKED
    # The tag tells which of the two Chinese scripts was asked for.
    written = simplified_or_traditional(text)
    return Judgement.UNDECIDED if written is None else Judgement.ASKED if written == facts.script else Judgement.OTHER


def _judge_wrong(found: str, words: int, lower: int, fewest: int) -> Judgement:
    """Judge a text that the identifier takes for another language: loan words, names and titles are no proof.

    It takes `fewest` words that are no names, and half of all words or `_RUNNING_TEXT`.
    """
    if lower < fewest or (lower < _RUNNING_TEXT and 2 * lower < words):
        return Judgement.UNDECIDED
    return Judgement.ENGLISH if found == ENGLISH else Judgement.OTHER


def _languages_with_alphabet(script: str) -> set[str]:
    return {code for code, language in languages().items() if language.alphabet and language.scripts[0] == script}


def _fits_alphabet(words: list[str], language: str) -> bool:
    """Say whether most words can be of a language, by their letters; foreign names may be among them."""
    alphabet = find_language(language).alphabet
    foreign = sum(not alphabet.issuperset(char for char in word.lower() if char.isalpha()) for word in words)
    return foreign < max(1, _FOREIGN_WORDS * len(words))
