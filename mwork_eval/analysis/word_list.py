"""The word list of the package, and prompts that ask for one word."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH, find_language
from mwork_eval.resources import embedded_folder

PROMPTS = ("translation", "repetition")
"""Translate a word, or say it again; two of the three kinds of Wendler et al. 2024 (arXiv:2402.10588)."""
_EXAMPLES = 4
"""Words shown before the one asked for, as there."""
_SOURCES = ("fr", "de", "es")
"""Words are translated from the first of these that is not the language asked for or the pivot: never from English."""


@dataclass(frozen=True)
class WordList:
    """Words with the same meaning in several languages.

    Attributes:
        names: Each language's name for itself, by tag.
        words: Each word by language.
    """

    names: Mapping[str, str]
    words: tuple[Mapping[str, str], ...]

    def prompts(self, language: str, kind: str, pivot: str = ENGLISH) -> list[str]:
        """Return a prompt for each word: four examples, then the word, up to the opening quotation mark.

        Args:
            language: Language of the answers.
            kind: One of `PROMPTS`.
            pivot: The language that the answers' is compared with.

        Raises:
            InputError: If the list has no words of the language or the pivot.
        """
        if pivot not in self.names:
            raise InputError(
                f"the word list has no {Pivot(pivot).name}, the pivot",
                expected=f"one of {' '.join(self.names)}",
                hint="use `method='tokens'`",
            )
        if language not in self.names:
            raise InputError(
                f"the word list has no {find_language(language).name}",
                expected=f"one of {' '.join(self.names)}",
                hint="use `method='tokens'`",
            )
        source = language if kind == "repetition" else next(code for code in _SOURCES if code not in (language, pivot))
        lines = [f'{self.names[source]}: "{w[source]}" - {self.names[language]}: "{w[language]}"' for w in self.words]
        count = len(lines)
        return [
            "\n".join(
                [
                    *(lines[(index + step) % count] for step in range(1, _EXAMPLES + 1)),
                    lines[index].removesuffix(f'{word[language]}"'),
                ]
            )
            for index, word in enumerate(self.words)
        ]


@cache
def load_word_list() -> WordList:
    """Return the package's word list."""
    content = yaml.safe_load((embedded_folder() / "lens_words.yaml").read_text(encoding="utf-8"))
    languages = tuple(content["names"])
    rows = (line.split("/") for line in content["words"])
    return WordList(content["names"], tuple(dict(zip(languages, map(str.strip, row), strict=True)) for row in rows))
