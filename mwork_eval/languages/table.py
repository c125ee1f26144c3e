"""The languages: what is known of each, by its tag; a row each of those of the benchmarks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mwork_eval.errors import InputError
from mwork_eval.languages.tags import canonical_tag, facts_of, near_tags

ENGLISH = "en"

Words = Literal["blanks", "characters", "thai_dictionary", "dictionary", "boundaries"]


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
    """One language: a row of `languages.yaml` (which explains the fields), or what its tag and its base tell of it.

    Attributes:
        tag: Its tag.
        name: English name; the tag where nothing is known.
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

    tag: str
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

    @property
    def direction(self) -> Literal["ltr", "rtl"] | None:
        """Which way its usual script is written; None if the script is not known."""
        if not self.scripts:
            return None
        return "rtl" if self.scripts[0] in read_yaml("scripts.yaml")["right_to_left"] else "ltr"


@cache
def rows() -> dict[str, Language]:
    """Read the rows of the benchmarks' languages, by tag: the paper's ten in its order, then the further ones."""
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
def find_language(tag: str) -> Language:
    """Return what is known of a language; of an unknown tag nothing is.

    A language without a row has the rules of its base (see `base_of`): all of them if it differs by script, territory
    or variant only (`pt-BR`, `zh-Hant`), or is the standard form of the base (`cmn`, `arb`). Another member of a
    macrolanguage (`arz`, `yue`) has those of writing, where it has the script of the base: how words are split,
    articles, spelling and units, but no number words, no alphabet and no common words.
    """
    if row := rows().get(tag):
        return row
    if (facts := facts_of(tag)) is None:
        return Language(tag, tag)
    base = base_of(tag)
    is_variety = base in languages()
    rules = languages().get(base if is_variety else str(facts.member_of), Language(tag, tag))
    own = _scripts_of(facts.script)
    # Of several scripts a table says more than the one that is likely.
    own = rules.scripts if is_variety and not facts.has_script and own[:1] in ((), rules.scripts[:1]) else own
    if rules.tag != tag and own[:1] != rules.scripts[:1]:
        rules = Language(tag, tag)
    elif not is_variety:
        rules = replace(rules, alphabet=frozenset(), common_words=frozenset(), numbers=None)
    if rules.tag not in rows():
        rules = replace(rules, words=_words_of(base, own), blanks=_separators_of(own))
    return replace(rules, tag=tag, name=facts.name, scripts=own)


def _words_of(language: str, scripts: tuple[str, ...]) -> Words:
    """Return how the words of a language without a row are split: as its usual script is written."""
    table = read_yaml("scripts.yaml")
    if language in table["dictionaries"]:
        return "dictionary"
    return "characters" if scripts and scripts[0] in table["without_blanks"] else "boundaries"


def _separators_of(scripts: tuple[str, ...]) -> str:
    separators: dict[str, str] = read_yaml("scripts.yaml")["separators"]
    return "".join(separators.get(script, "") for script in scripts[:1])


@cache
def base_of(tag: str) -> str:
    """Return the language that a tag is a variety of: `pt` of `pt-BR`, `zh` of `zh-Hant` and of `cmn`; else the tag.

    A language of its own that is a member of a macrolanguage (`arz`, `yue`) is no variety of it.
    """
    if tag in languages() or (facts := facts_of(tag)) is None:
        return tag
    return facts.language if facts.language in languages() else facts.standard_of or facts.language


def _scripts_of(code: str | None) -> tuple[str, ...]:
    """Return Unicode's names of the scripts that a code of ISO 15924 stands for."""
    return tuple(read_yaml("scripts.yaml")["codes"].get(code, "").split())


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
    tag: str,
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
        tag,
        name,
        scripts=tuple(scripts.split()),
        alphabet=frozenset(alphabet),
        common_words=frozenset(common_words.split()),
        articles=ArticleRules(**articles or {}),
        numbers=NumberRules(**numbers) if numbers else None,
        **others,
    )


def check_language(text: str) -> str:
    """Return the tag of a language.

    Args:
        text: A BCP-47 tag such as `ja`, `pt-BR`, `zh-Hant` or `yue`, an ISO 639 code of two or three letters, or an
            English name.

    Raises:
        InputError: If it is none; names languages that may be meant.
    """
    if (tag := tag_of(text)) is not None:
        return tag
    near = near_tags(text)
    raise InputError(
        "unknown language",
        found=repr(text),
        expected="a tag such as ja, pt-BR, zh-Hant or yue, or an English name",
        hint=f"near it are {', '.join(near)}" if near else None,
    )


def tag_of(text: str) -> str | None:
    """Return the tag of a language, given as `check_language` takes it, or None if the text names none."""
    return text if text in languages() else canonical_tag(text)


def is_tag(text: str) -> bool:
    """Say whether a text is the canonical tag of a language."""
    return tag_of(text) == text


def parse_languages(text: str) -> list[str]:
    """Split a comma-separated list of languages, keeping order and dropping repeats.

    Raises:
        InputError: If the list is empty or a language is unknown.
    """
    given = [part.strip() for part in text.split(",") if part.strip()]
    if not given:
        raise InputError("no language given", expected="a list such as en,zh,es")
    return list(dict.fromkeys(map(check_language, given)))
