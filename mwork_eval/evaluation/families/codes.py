"""How names of tasks code a language: `zh`, `zho_Hans`, `ZH_CN`, `zh_zh`, `chinese`; read, compared and written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from mwork_eval.languages.tags import NO_TERRITORY, facts_of, standards_of

SEPARATOR = re.compile("[_-]")
_REGION = re.compile("[a-z]{2}|[a-z]{4}")
"""A region behind a script: its code, or the first letters of its name."""
_ALPHA3 = 3
_SHORTEST_NAME = 4
"""Letters; shorter words of a name are codes."""


@dataclass(frozen=True)
class Spoken:
    """A language as far as tasks tell languages apart.

    Attributes:
        language: Its subtag; that of the macrolanguage for its usual member, so that `arb` is `ar` and `arz` is not.
        script: Its script; the usual one if not said, empty if that is not known.
        region: A region or kind of it that was said, or None.
        usual_region: Where it is mostly spoken; None if not known.
    """

    language: str
    script: str
    region: str | None = None
    usual_region: str | None = None

    @property
    def tag(self) -> str:
        """The shortest tag: `ar`, `zh-Hant`, `pt-BR`."""
        usual = spoken_of(self.language)
        script = None if usual is not None and usual.script == self.script else self.script or None
        return "-".join(part for part in (self.language, script, self.region) if part)


@cache
def spoken_of(tag: str) -> Spoken | None:
    """Return the language of a BCP 47 tag or an ISO 639-3 code, in any case and with `_` or `-`; None if it is none."""
    if (facts := facts_of(tag)) is None:
        return None
    wide = facts.standard_of or facts.language
    language = _oddities()["same"].get(wide, wide)
    usual = facts if language == facts.language else facts_of(language)
    # The script is that of the language meant: Urdu of India and Cantonese are not written as their wider languages.
    script = _oddities()["scripts"].get(facts.script or "", facts.script or "")
    return Spoken(language, script, facts.territory, usual.likely_territory if usual else None)


@cache
def read_code(text: str) -> Spoken | None:
    """Read the language off the part of a name that codes it.

    Args:
        text: Such as `zh`, `zho_Hans`, `por_latn_braz`, `ZH_CN`, `zh_zh` or `chinese`.

    Returns:
        The language; None if the text is no code.
    """
    parts = SEPARATOR.split(text.lower())
    spellings = _oddities()["spellings"]
    if (whole := spellings.get(" ".join(parts))) is not None:
        return spoken_of(whole)
    first, rest = spellings.get(parts[0], parts[0]), parts[1:]
    if not rest:
        return _read_one(first)
    if not _is_short(first) or (spoken := spoken_of(first)) is None:
        return _read_name(" ".join(parts))
    if rest == parts[:1]:  # such as the context's and the question's
        return spoken
    if len(rest[0]) == 4 and (written := spoken_of(f"{first}-{rest[0]}")) is not None:
        return written if len(rest) == 1 else _in_region(written, rest[1]) if _REGION.fullmatch(rest[-1]) else None
    if len(rest) == 1 and len(rest[0]) == 2:
        if NO_TERRITORY.fullmatch(rest[0].upper()):  # as in ar_xy
            return spoken
        return spoken_of(f"{first}-{rest[0]}")
    return None


def closeness(asked: Spoken, found: Spoken) -> int | None:
    """Tell how well a task's language is the one asked for: 0 is best, None is another language.

    Language and script must be the same. A region that was asked for must not be another; one that was not asked for
    had better be the usual one.
    """
    # Of some languages nobody says how they are mostly written.
    if asked.language != found.language or (asked.script and found.script and asked.script != found.script):
        return None
    if asked.region is not None:
        return {asked.region: 0, None: 1}.get(found.region)
    return 0 if found.region is None else 1 if found.region == asked.usual_region else 2


def fields_of(tag: str) -> Mapping[str, str]:
    """Return how a pattern can write a language, by field.

    `l` is the tag itself, `iso3` the code of ISO 639-3 (`zho`), `flores` that with the script (`zho_Hans`; the usual
    member of a macrolanguage, `arb_Arab`, `swh_Latn`), and `name` its name in English (`chinese`).
    """
    from langcodes import Language

    language = Language.get(tag)
    # ISO 639-3 has a code for the macrolanguage, FLORES one for its usual member.
    members = (code for code in standards_of(language.language or "") if len(code) == _ALPHA3)
    member = _oddities()["flores"].get(language.language or "") or next(members, language.to_alpha3())
    name = SEPARATOR.sub(" ", language.language_name("en").lower())
    return {
        "l": tag,
        "iso3": language.to_alpha3(),
        "flores": f"{member}_{language.maximize().script}",
        "name": name.replace(" ", "_"),
    }


def is_said_by_name(tag: str) -> bool:
    """Tell whether a code of the language, or its name, says all of a tag: of `pt-BR` it does, but not of `pt-PT`.

    A script or region that is not the usual one of the language takes more.
    """
    asked = spoken_of(tag)
    usual = spoken_of(asked.language) if asked else None
    if asked is None or usual is None:
        return False
    return usual.script in ("", asked.script) and asked.region in (None, asked.usual_region)


def _read_one(text: str) -> Spoken | None:
    return spoken_of(text) if _is_short(text) else _read_name(text)


def _is_short(text: str) -> bool:
    return 2 <= len(text) < _SHORTEST_NAME


def _read_name(text: str) -> Spoken | None:
    if len(text) < _SHORTEST_NAME or not text.replace(" ", "").isalpha():
        return None
    import langcodes

    # Unlike what a user writes, a word of a task's name may be a beginning or an inner part of a language's name.
    try:
        found = langcodes.find(text, "en")
    except LookupError:
        return None
    words = text.split()
    # A look-up overlooks further words; "dutch flemish" are two names, "chinese stem" is more than a name.
    whole = len(words) == 1 or found.display_name("en").lower() == text
    return spoken_of(found.to_tag()) if whole or {*map(_read_one, words)} == {spoken_of(found.to_tag())} else None


def _in_region(spoken: Spoken, text: str) -> Spoken:
    """Add a region that is written as the first letters of its name; else what was written, which is told apart too."""
    from langcodes import Language

    wanted = text.upper()
    for region in _regions_of(spoken.language):
        if region == wanted or Language.make(territory=region).territory_name("en").upper().startswith(wanted):
            wanted = region
            break
    return Spoken(spoken.language, spoken.script, wanted, spoken.usual_region)


@cache
def _regions_of(language: str) -> tuple[str, ...]:
    from langcodes import Language
    from language_data.population_data import LANGUAGE_SPEAKING_POPULATION

    tags = (Language.get(tag) for tag in LANGUAGE_SPEAKING_POPULATION if tag.startswith(f"{language}-"))
    return tuple(tag.territory for tag in tags if tag.territory)


@cache
def _oddities() -> Mapping[str, Mapping[str, str]]:
    text = Path(__file__).with_name("code_oddities.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = yaml.safe_load(text)
    return found
