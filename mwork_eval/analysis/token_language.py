"""The language of decoded tokens: English, the query's, another, or undecided."""

import unicodedata
from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.errors import InputError
from mwork_eval.languages.han import chinese_or_japanese
from mwork_eval.languages.identifier import identify, known_languages
from mwork_eval.languages.judgement import can_judge, decided_by_script
from mwork_eval.languages.scripts import CJK, LATIN, count_letters
from mwork_eval.languages.table import ENGLISH, base_of, find_language

CLASSES = ("english", "query", "other", "undecided")
"""What a token can be; `query` is the language of the text that the model reads."""
ENGLISH_CLASS, QUERY_CLASS, OTHER_CLASS, UNDECIDED_CLASS = range(len(CLASSES))

SPAN = 16
"""Positions whose tokens are identified together where the alphabet does not decide. What a layer decodes to is no
running text, and harder."""
_FEWEST_LETTERS = {LATIN: 2}
"""A single Latin letter is a unit, a variable or a piece of a word; a single Chinese sign is a word."""
_FEWEST_SPAN_LETTERS = 12
_DISTANCE = 0.1
"""How far the two best probabilities of the identifier must lie apart for a decision."""
_PRIOR = 1.0
"""No language is likelier beforehand: what is asked is what a layer decodes to, not whether an answer is right."""

Classes = npt.NDArray[np.int64]


def require_identifier(languages: Sequence[str]) -> None:
    """Fail before a model loads if a language cannot be told.

    Raises:
        InputError: Names the pip line, or the languages that no identifier knows.
    """
    untold = [language for language in languages if not can_judge(language)]
    if untold and not known_languages():
        raise InputError(
            f"{' '.join(untold)} share a script with other languages, and telling them apart needs a package",
            found="no lingua",
            expected="the extra [langid]",
            hint='pip install "mwork-eval[langid]", or choose languages that their script tells, such as zh th',
        )
    if untold:
        raise InputError(
            "the language of tokens cannot be told",
            found=" ".join(untold),
            expected="languages with a script of their own, or one of " + " ".join(sorted(known_languages())),
        )


class TokenClassifier:
    """Tells the language of tokens that a model would say next.

    Where the query's script is of no other language, each token is judged by itself: that script is the query's
    language, Latin letters are English, any other script is another language. Chinese and Japanese share signs: they
    are the query's, unless the tokens of the same rank at `SPAN` consecutive positions show the other of the two. Where
    the query shares its script with more languages (Latin, Cyrillic, Arabic, ...), those tokens are decoded as one
    text, an offline identifier (lingua) chooses among all languages of the script, and all tokens of the span get its
    answer. Tokens without letters (digits, punctuation, single bytes, special tokens), single Latin letters, and spans
    that are too short or ambiguous are undecided.
    """

    def __init__(self, tokenizer: Any, language: str) -> None:
        """Make a classifier.

        Args:
            tokenizer: The model's tokenizer.
            language: Tag of the query's language, not English; a variety is told as its base.

        Raises:
            InputError: If the language cannot be told.
        """
        require_identifier([language])
        self._tokenizer, self._language = tokenizer, base_of(language)
        self._tokens: dict[int, str | None] = {}
        own = find_language(language).scripts
        self._own = {*own, *(CJK if CJK.intersection(own) else ())}
        self._shared = CJK & self._own if decided_by_script(language) else self._own

    def classify(self, tokens: npt.NDArray[np.int64]) -> Classes:
        """Return the class of each token, as an index into `CLASSES`.

        Args:
            tokens: The best tokens of consecutive positions `[positions, k]`.
        """
        scripts = np.array([[self._script(int(token)) for token in row] for row in tokens], dtype=object)
        found = np.full(tokens.shape, OTHER_CLASS)
        found[scripts == None] = UNDECIDED_CLASS  # noqa: E711 (element by element)
        found[scripts == LATIN] = ENGLISH_CLASS
        found[_among(scripts, self._own)] = QUERY_CLASS
        shared = _among(scripts, self._shared)
        for start in range(0, len(tokens), SPAN):
            for rank in range(tokens.shape[1]):
                inside = shared[start : start + SPAN, rank]
                if inside.any():
                    text = self._tokenizer.decode(tokens[start : start + SPAN, rank][inside].tolist())
                    found[start : start + SPAN, rank][inside] = self._identify(text)
        return found

    def _script(self, token: int) -> str | None:
        """Return the script of most letters of a token, or None if they are too few to tell."""
        if token not in self._tokens:
            text = unicodedata.normalize("NFKC", self._tokenizer.decode([token], skip_special_tokens=True))
            ((script, letters),) = count_letters(text).most_common(1) or [("", 0)]
            enough = letters >= _FEWEST_LETTERS.get(script, 1)
            self._tokens[token] = script if enough and "\ufffd" not in text else None
        return self._tokens[token]

    def _identify(self, text: str) -> int:
        letters = count_letters(text)
        script = max(letters, key=letters.__getitem__)
        if script in CJK:
            return OTHER_CLASS if chinese_or_japanese(text) not in (self._language, None) else QUERY_CLASS
        if letters.total() < _FEWEST_SPAN_LETTERS:
            return UNDECIDED_CLASS
        language = identify(text, self._language, script, _DISTANCE, _PRIOR)
        if language is None:
            return UNDECIDED_CLASS
        return {ENGLISH: ENGLISH_CLASS, self._language: QUERY_CLASS}.get(language, OTHER_CLASS)


def _among(scripts: npt.NDArray[np.object_], wanted: Set[str]) -> npt.NDArray[np.bool_]:
    return np.array([[script in wanted for script in row] for row in scripts], dtype=bool)
