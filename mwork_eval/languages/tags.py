"""Language tags: what a user writes (a BCP-47 tag, an ISO 639 code, an English name) as one canonical tag.

The packages langcodes and language_data hold the registries. They are imported when a language beyond the tables is
asked for: a start of the program does not pay for them.
"""

import difflib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

_EXTENDED = re.compile(r"([a-z]{2,3})-([a-z]{3})(?=-|$)", re.IGNORECASE)
"""An individual language behind its macrolanguage, as in zh-yue and ar-arz."""
_QUALIFIED = re.compile(r"(?P<name>[^()]+?)\s*\((?P<script_or_territory>[^()]+)\)")
_NO_LANGUAGE = re.compile(r"und|mul|mis|zxx|root|x-.*|q[a-t][a-z]")
"""Undetermined, several, uncoded, none, and codes for private use."""
_NO_SCRIPT = re.compile(r"Z(zzz|yyy|inh|xxx|sym|mth|sye)|Qa[ab][a-z]")
NO_TERRITORY = re.compile(r"ZZ|AA|Q[M-Z]|X[A-Z]")
"""Unknown, and codes that ISO 3166 leaves to users: they say nothing."""
_MOST_NEAR = 4


@dataclass(frozen=True)
class TagFacts:
    """What the registries say of a tag.

    Attributes:
        name: English name.
        language: The language without script, territory and variants.
        alpha3: Its code of three letters.
        script: ISO 15924 code of the script: the tag's own, else the likely one; None if none is known.
        has_script: Whether the tag names its script.
        territory: The territory that the tag names, or None.
        likely_territory: Where its language is mostly spoken; None if not known.
        standard_of: The macrolanguage whose standard form the language is (`zh` of `cmn`, `ar` of `arb`), or None.
        member_of: The macrolanguage that the language is a member of (`ar` of `arz` and of `arb`), or None.
    """

    name: str
    language: str
    alpha3: str
    script: str | None
    has_script: bool
    territory: str | None
    likely_territory: str | None
    standard_of: str | None
    member_of: str | None


@cache
def canonical_tag(text: str) -> str | None:
    """Return the canonical tag of a language, or None if the text names none.

    An ISO 639 code of three letters becomes the one of two where that is the same language (`jpn` is `ja`); individual
    languages stay apart from their macrolanguage (`cmn` is not `zh`), and so do scripts and territories.

    Args:
        text: A BCP-47 tag (also with underscores), an ISO 639-1, -2 or -3 code, or an English name, which may have a
            script or territory in brackets.
    """
    text = " ".join(text.split())
    if not text.isprintable():
        return None  # language_data takes a control character for the end of a name
    return _read_tag(text) or _read_name(text)


@cache
def facts_of(tag: str) -> TagFacts | None:
    """Return what the registries say of a tag, or None if it is none."""
    if _read_tag(tag) is None:
        return None
    from langcodes import Language
    from langcodes.data_dicts import LIKELY_SUBTAGS, MACROLANGUAGES, NORMALIZED_MACROLANGUAGES

    parsed = Language.get(tag)
    language = str(parsed.language)
    # What is not in the list is taken for Latin by `maximize`.
    standard_of = NORMALIZED_MACROLANGUAGES.get(language)
    places = (f"{language}-{parsed.territory}", language)
    likely = parsed.maximize().script if any(place in LIKELY_SUBTAGS for place in places) else None
    if likely is None and standard_of:
        likely = Language.get(standard_of).maximize().script
    return TagFacts(
        name=parsed.display_name("en"),
        language=language,
        alpha3=parsed.to_alpha3(),
        script=parsed.script or likely,
        has_script=parsed.script is not None,
        territory=parsed.territory,
        likely_territory=Language.get(language).maximize().territory if language in LIKELY_SUBTAGS else None,
        standard_of=standard_of,
        member_of=MACROLANGUAGES.get(language),
    )


@cache
def standards_of(macrolanguage: str) -> tuple[str, ...]:
    """Return the individual languages that are the standard form of a macrolanguage: `arb` of `ar`."""
    from langcodes.data_dicts import NORMALIZED_MACROLANGUAGES

    return tuple(code for code, standard_of in NORMALIZED_MACROLANGUAGES.items() if standard_of == macrolanguage)


def near_tags(text: str) -> list[str]:
    """Return languages that a text may have meant, as `tag (name)`; the best first."""
    from langcodes.data_dicts import LIKELY_SUBTAGS

    # A country's code for its language: jp, cn, gr.
    found = [
        str(likely).partition("-")[0] for place, likely in LIKELY_SUBTAGS.items() if place == f"und-{text.upper()}"
    ]
    names = _english_names()
    near = difflib.get_close_matches(_normalised(text), names.keys(), n=_MOST_NEAR, cutoff=0.75)
    found += [tag for name in near if (tag := _read_tag(names[name][0].decode()))]
    described = [(tag, facts) for tag in dict.fromkeys(found) if (facts := facts_of(tag))]
    return [f"{tag} ({facts.name})" for tag, facts in described][:_MOST_NEAR]


def _read_tag(text: str) -> str | None:
    from langcodes import Language, standardize_tag
    from langcodes.data_dicts import MACROLANGUAGES
    from langcodes.tag_parser import LanguageTagError

    text = text.replace("_", "-")
    if (extended := _EXTENDED.match(text)) and MACROLANGUAGES.get(extended[2].lower()) == extended[1].lower():
        text = text[extended.start(2) :]
    try:
        tag = standardize_tag(text)
    except LanguageTagError:
        return None
    parsed = Language.get(tag, normalize=False)
    named = parsed.language is not None and _NO_LANGUAGE.fullmatch(parsed.language) is None
    plain = not parsed.extensions and not parsed.private
    real = not _NO_SCRIPT.fullmatch(parsed.script or "") and not NO_TERRITORY.fullmatch(parsed.territory or "")
    return tag if named and plain and real and parsed.is_valid() else None


def _read_name(text: str) -> str | None:
    """Return the tag of an English name; nothing is made of a name that only begins like one."""
    names = _english_names()
    if (name := _normalised(text)) in names:
        return _read_tag(names[name][0].decode())
    if (qualified := _QUALIFIED.fullmatch(text)) and (language := _read_name(qualified["name"])):
        wanted = _normalised(qualified["script_or_territory"])
        for kind in ("script", "territory"):
            if wanted in (of_kind := _english_names(kind)):
                return _read_tag(f"{language}-{of_kind[wanted][0].decode()}")
    return None


@cache
def _english_names(kind: str = "language") -> Any:
    """Return the English names of languages, scripts or territories with their codes.

    Asked by name, language_data would also find what only begins like a name: German for germanium.
    """
    from language_data.names import load_trie
    from language_data.util import data_filename

    return load_trie(data_filename(f"trie/en/name_to_{kind}.marisa"))


def _normalised(name: str) -> str:
    from language_data.names import normalize_name

    return str(normalize_name(name))
