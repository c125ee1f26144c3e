"""Whether a model answered in the language it was asked in, or fell back to English: offline, from the answers."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from mwork_eval.detection.corpus.language_check import detector_builder
from mwork_eval.languages import ENGLISH

SCRIPTS = {"zh": "CJK", "ru": "CYRILLIC", "th": "THAI", "ar": "ARABIC"}
"""First word of the Unicode names of a language's letters, where they are not Latin."""
LATIN = "LATIN"
_LETTERS_PER_SIGN = {"CJK": 3}
"""A Chinese sign says as much as about three letters; names in Latin letters would outvote it otherwise."""
_FEWEST_LETTERS = 3
"""Fewer may be a unit, a variable or an abbreviation, which every language shares."""
_FEWEST_LATIN_LETTERS = 12
_FEWEST_WORDS = 3
_FEWEST_LOWER_CASE_WORDS = 2
"""Other Latin answers are mostly names ("New England Patriots"), which say nothing. Of the judged among XQuAD's own
German answers, 20 % came out as English without the rule on lower case and 5 % with it; in Spanish 12 % and 3 %."""
_DISTANCE = 0.25
"""How far the detector's two probabilities must lie apart for a decision. With it, no three words of the embedded texts
in en de es fr were taken for the other of two languages, and at most 3.2 % of them were left undecided."""
_CHARACTERS = 1000
"""Enough to decide; longer answers only cost time."""


@dataclass(frozen=True)
class AnswerLanguages:
    """The languages of some answers.

    Attributes:
        judged: Answers whose language could be told.
        english: Of them, in English.
        other: Of them, in another wrong language.
        undecided: Answers whose language could not be told: numbers, names, too little text.
    """

    judged: int
    english: int
    other: int
    undecided: int


def judge_version() -> str | None:
    """Return the version of the package that tells Latin-script languages apart, or None without it."""
    return None if find_spec("lingua") is None else version("lingua-language-detector")


def judge_answers(texts: Sequence[str], language: str) -> AnswerLanguages:
    """Tell the languages of answers to questions in one language.

    Where the language has its own script, the script of most letters decides, and Latin letters count as English.
    Where it is written in Latin letters, the package lingua (extra `[langid]`) decides between the language and
    English; without the package nothing is judged.

    Args:
        texts: The answers as generated.
        language: ISO 639-1 code of the expected language, not English.
    """
    found = Counter(_language_of(unicodedata.normalize("NFKC", text[:_CHARACTERS]), language) for text in texts)
    undecided, expected, english = found[None], found[language], found[ENGLISH]
    judged = len(texts) - undecided
    return AnswerLanguages(judged, english, judged - expected - english, undecided)


def answer_language_metrics(texts: Sequence[str], language: str) -> dict[str, float]:
    """Return the languages of answers as metrics of a task.

    Args:
        texts: The answers as generated.
        language: ISO 639-1 code of the expected language.

    Returns:
        `wrong_language,none` and `english_answers,none`, shares of the judged answers, and `judged_answers,none`, their
        number; nothing if the language is English or no answer could be judged.
    """
    if language == ENGLISH:
        return {}
    found = judge_answers(texts, language)
    if not found.judged:
        return {}
    return {
        "wrong_language,none": (found.english + found.other) / found.judged,
        "english_answers,none": found.english / found.judged,
        "judged_answers,none": float(found.judged),
    }


def _language_of(text: str, language: str) -> str | None:
    """Return the expected language, English, `other`, or None if that cannot be told."""
    expected = SCRIPTS.get(language, LATIN)
    if expected == LATIN and find_spec("lingua") is None:
        return None
    script = _main_script(text)
    if script is None:
        return None
    if script != expected:
        return ENGLISH if script == LATIN else "other"
    return language if script != LATIN else _english_or(language, text)


def count_scripts(text: str) -> Counter[str]:
    """Count the letters of a text by script, the first word of their Unicode names; `LATIN` and those of `SCRIPTS`."""
    return Counter(unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha())


def _main_script(text: str) -> str | None:
    """Return the script of most letters, or None if there are too few letters."""
    letters = count_scripts(text)
    weights = {script: count * _LETTERS_PER_SIGN.get(script, 1) for script, count in letters.items()}
    if sum(weights.values()) < _FEWEST_LETTERS:
        return None
    return max(weights, key=weights.__getitem__)


def _english_or(language: str, text: str) -> str | None:
    words = [word for word in text.split() if any(map(str.isalpha, word))]
    lower_case = sum(word[0].islower() for word in words)
    letters = sum(map(str.isalpha, text))
    if len(words) < _FEWEST_WORDS or lower_case < _FEWEST_LOWER_CASE_WORDS or letters < _FEWEST_LATIN_LETTERS:
        return None
    found = _detector(language).detect_language_of(text)
    return None if found is None else str(found.iso_code_639_1.name).lower()


@cache
def _detector(language: str) -> Any:
    # The accurate mode: in the other one, up to 5 % of three-word answers went wrong.
    return detector_builder([ENGLISH, language]).with_minimum_relative_distance(_DISTANCE).build()
