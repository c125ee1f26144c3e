"""The language of decoded tokens: the pivot (English, if not chosen), the query's, another, or undecided."""

import unicodedata
from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.errors import InputError
from mwork_eval.languages.han import chinese_or_japanese
from mwork_eval.languages.identifier import identify, known_languages
from mwork_eval.languages.judgement import can_judge, decided_by_script
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.scripts import CJK, LATIN, count_letters
from mwork_eval.languages.table import ENGLISH, base_of, find_language

CLASSES = ("english", "query", "other", "undecided")
"""What a token can be; `query` is the language of the text that the model reads, `pivot` a pivot other than English."""
PIVOT_CLASS, QUERY_CLASS, OTHER_CLASS, UNDECIDED_CLASS = range(len(CLASSES))

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
    answer. A pivot other than English is told as the query is, and English is another language then. Tokens without
    letters (digits, punctuation, single bytes, special tokens), single Latin letters, and spans that are too short or
    ambiguous are undecided.

    Attributes:
        pivot: The language that the query's is compared with.
    """

    def __init__(self, tokenizer: Any, language: str, pivot: str = ENGLISH) -> None:
        """Make a classifier.

        Args:
            tokenizer: The model's tokenizer.
            language: Tag of the query's language, no variety of the pivot's; a variety is told as its base.
            pivot: The language it is compared with; likewise.

        Raises:
            InputError: If a language cannot be told.
        """
        require_identifier([language] if pivot == ENGLISH else [language, pivot])
        self._tokenizer, self._language, self.pivot = tokenizer, base_of(language), pivot
        self._tokens: dict[int, str | None] = {}
        self._own, shared = _scripts_of(language)
        # Beside other scripts, Latin letters are taken for English as they are.
        self._scripts, told_apart = ({LATIN}, set[str]()) if pivot == ENGLISH else _scripts_of(pivot)
        self._shared = (shared, told_apart - shared)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return (Pivot(self.pivot).role, *CLASSES[1:])

    def classify(self, tokens: npt.NDArray[np.int64]) -> Classes:
        """Return the class of each token, as an index into `classes`.

        Args:
            tokens: The best tokens of consecutive positions `[positions, k]`.
        """
        scripts = np.array([[self._script(int(token)) for token in row] for row in tokens], dtype=object)
        found = np.full(tokens.shape, OTHER_CLASS)
        found[scripts == None] = UNDECIDED_CLASS  # noqa: E711 (element by element)
        found[_among(scripts, self._scripts)] = PIVOT_CLASS
        found[_among(scripts, self._own)] = QUERY_CLASS
        for shared in (_among(scripts, wanted) for wanted in self._shared if wanted):
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
        pivot = base_of(self.pivot)
        classes = {pivot: PIVOT_CLASS, self._language: QUERY_CLASS}
        is_pivots = script in self._shared[1]
        if script in CJK:
            language = chinese_or_japanese(text)
            if language is None:
                both = script in self._scripts and not is_pivots
                return UNDECIDED_CLASS if both else PIVOT_CLASS if is_pivots else QUERY_CLASS
            return classes.get(language, OTHER_CLASS)
        if letters.total() < _FEWEST_SPAN_LETTERS:
            return UNDECIDED_CLASS
        language = identify(text, pivot if is_pivots else self._language, script, _DISTANCE, _PRIOR, pivot)
        return UNDECIDED_CLASS if language is None else classes.get(language, OTHER_CLASS)


def _scripts_of(language: str) -> tuple[set[str], set[str]]:
    """Return the scripts of a language, and those of them in which it must be told from others."""
    scripts = find_language(language).scripts
    own = {*scripts, *(CJK if CJK.intersection(scripts) else ())}
    return own, set(CJK & own) if decided_by_script(language) else own


def _among(scripts: npt.NDArray[np.object_], wanted: Set[str]) -> npt.NDArray[np.bool_]:
    return np.array([[script in wanted for script in row] for row in scripts], dtype=bool)
