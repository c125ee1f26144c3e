"""The languages: a row each of what is known of them, by ISO 639-1 code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mwork_eval.errors import InputError

ENGLISH = "en"

Words = Literal["blanks", "characters", "thai_dictionary"]


@dataclass(frozen=True)
class ArticleRules:
    """What is no part of an answer.

    Attributes:
        words: Articles that are words.
        prefix: An article that is written together with its word.
        undivided: Words that only begin like it.
    """

    words: str = ""
    prefix: str = ""
    undivided: str = ""


@dataclass(frozen=True)
class NumberRules:
    """How numbers are written in words, and where an answer states one.

    Attributes:
        answer: Beginnings of the sentence that states an answer.
        behind: Factors of words behind a number.
        attached: Factors of signs right behind a number, where no blanks are written.
        before: Factors of words in front of a number.
        unless: What begins like a sign of `attached` and is none.
    """

    answer: list[str]
    behind: dict[str, int] = field(default_factory=dict)
    attached: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    unless: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Language:
    """One language, a row of `languages.yaml` (which explains the fields) or, of most fields empty, of `scripts.yaml`.

    Attributes:
        code: ISO 639-1 code.
        name: English name; the code where there is no row.
        scripts: Unicode's names of its scripts, the usual one first; none if not known, so that nothing is judged.
        alphabet: Its small letters, if a letter beyond them excludes it.
        common_words: Words that mark a sentence of it.
        words: How its words are split.
        articles: Its articles.
        blanks: Signs that separate words.
        spellings: By letter or letters, those they are the same as.
        spelling_rule: Name of a rule of `benchmarks/answers/spelling.py`, if it has one.
        capitals: Small letters by capital, where they are not those of every other language.
        units: Regular expression of its units of length.
        numbers: How its numbers are written; None if not known, so that none is read.
    """

    code: str
    name: str
    scripts: tuple[str, ...] = ()
    alphabet: frozenset[str] = frozenset()
    common_words: frozenset[str] = frozenset()
    words: Words = "blanks"
    articles: ArticleRules = field(default_factory=ArticleRules)
    blanks: str = ""
    spellings: dict[str, str] = field(default_factory=dict)
    spelling_rule: str | None = None
    capitals: dict[str, str] = field(default_factory=dict)
    units: str = ""
    numbers: NumberRules | None = None


class _Names(Mapping[str, str]):
    """The names of the rows, which are read when somebody asks: a start of the program does not."""

    def __getitem__(self, code: str) -> str:
        return rows()[code].name

    def __iter__(self) -> Iterator[str]:
        return iter(rows())

    def __len__(self) -> int:
        return len(rows())


NAMES: Mapping[str, str] = _Names()
"""English name per code of the languages of the benchmarks: the paper's ten in its order, then the further ones."""


@cache
def rows() -> dict[str, Language]:
    """Read the rows of the benchmarks' languages, by code."""
    return {code: _language(code, **row) for code, row in read_yaml("languages.yaml").items()}


@cache
def languages() -> dict[str, Language]:
    """Return all languages of ISO 639-1 by code: the rows, and those of which only the scripts are known."""
    table = read_yaml("scripts.yaml")
    others = {
        code: _language(code, code, scripts=scripts, alphabet=table["alphabets"].get(code, ""))
        for scripts, codes in table["languages"].items()
        for code in codes.split()
    }
    return others | rows()


@cache
def find_language(code: str) -> Language:
    """Return what is known of a language; of an unknown code nothing is."""
    return rows().get(code) or languages().get(code) or Language(code, code)


@cache
def read_yaml(name: str) -> dict[str, Any]:
    """Read a table of this package."""
    # A start of the program imports this module, and need not pay for YAML.
    import yaml

    # The loader in C, where PyYAML has it, takes 2 ms instead of 20: commands that end at once ask for names, too.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table: dict[str, Any] = yaml.load(Path(__file__).with_name(name).read_text(encoding="utf-8"), loader)
    return table


def _language(
    code: str,
    name: str,
    scripts: str,
    *,
    alphabet: str = "",
    common_words: str = "",
    articles: Mapping[str, str] | None = None,
    numbers: Mapping[str, Any] | None = None,
    **others: Any,
) -> Language:
    return Language(
        code,
        name,
        scripts=tuple(scripts.split()),
        alphabet=frozenset(alphabet),
        common_words=frozenset(common_words.split()),
        articles=ArticleRules(**articles or {}),
        numbers=NumberRules(**numbers) if numbers else None,
        **others,
    )


def check_language(code: str) -> str:
    """Return ``code`` if it is a language of some benchmark.

    Raises:
        InputError: If the code is unknown; names the codes there are.
    """
    if code not in NAMES:
        raise InputError("unknown language", found=repr(code), expected="one of " + " ".join(NAMES))
    return code


def parse_languages(text: str) -> list[str]:
    """Split a comma-separated list of language codes, keeping order and dropping repeats.

    Raises:
        InputError: If the list is empty or a code is unknown.
    """
    codes = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not codes:
        raise InputError("no language given", expected="a list such as en,zh,es")
    return [check_language(code) for code in codes]
