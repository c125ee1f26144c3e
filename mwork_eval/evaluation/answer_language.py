"""Whether a model answered in the language it was asked in, or fell back to English: offline, from the answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mwork_eval.languages.identifier import identifier_version
from mwork_eval.languages.judgement import Judgement, judge_text
from mwork_eval.languages.table import ENGLISH, base_of

_RULES = 2
"""Raised whenever an answer may be judged differently than before: stored judgements are then made anew."""


@dataclass(frozen=True)
class AnswerLanguages:
    """The languages of some answers.

    Attributes:
        judged: Answers whose language could be told.
        english: Of them, in English.
        other: Of them, in another wrong language.
        undecided: Answers whose language could not be told: numbers, names, too little text, a language not known.
    """

    judged: int
    english: int
    other: int
    undecided: int


def judge_version() -> str:
    """Return what judgements depend on besides the answers: the rules and the identifier."""
    return f"rules {_RULES}, identifier {identifier_version()}"


def judge_answers(texts: Sequence[str], language: str) -> AnswerLanguages:
    """Tell the languages of answers to questions in one language.

    A language with a script of its own is told by it. Where several share a script, the identifier (extra `[langid]`)
    decides; without it, and for languages that it does not know, nothing is judged. Varieties are judged as their base,
    but `zh-Hans` and `zh-Hant` also by their signs.

    Args:
        texts: The answers as generated.
        language: Tag of the expected language, not English.
    """
    found = Counter(judge_text(text, language) for text in texts)
    undecided = found[Judgement.UNDECIDED]
    return AnswerLanguages(len(texts) - undecided, found[Judgement.ENGLISH], found[Judgement.OTHER], undecided)


def answer_language_metrics(texts: Sequence[str], language: str) -> dict[str, float]:
    """Return the languages of answers as metrics of a task.

    Args:
        texts: The answers as generated.
        language: Tag of the expected language.

    Returns:
        `wrong_language,none` and `english_answers,none`, shares of the judged answers, and `judged_answers,none`, their
        number; nothing if the language is English or no answer could be judged.
    """
    if base_of(language) == ENGLISH:
        return {}
    found = judge_answers(texts, language)
    if not found.judged:
        return {}
    return {
        "wrong_language,none": (found.english + found.other) / found.judged,
        "english_answers,none": found.english / found.judged,
        "judged_answers,none": float(found.judged),
    }
