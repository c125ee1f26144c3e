"""The identifier of languages that share a script: the package lingua (extra `[langid]`), offline."""

import math
import textwrap
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from mwork_eval.languages.scripts import same_as
from mwork_eval.languages.table import ENGLISH

_PRIOR = 5.0
_PRIORS = {"Devanagari": 2.0}
"""How much likelier than another language the asked one and English are beforehand; lingua takes Marathi for Hindi too
easily for more. With the distance, calibrated on text of 70 languages (docs/decisions/0008-language-of-answers.md)."""
DISTANCE = 0.5
"""How far the two best probabilities must lie apart for a decision."""


_PIECE = 110
"""Characters identified at once: from 120 on lingua looks at trigrams only, and takes some Spanish for Portuguese."""
_CANONICAL = {"tl": "fil"}
"""Tags that are not the identifier's codes."""
_LEAST_SHARE = 1e-4
"""What a language keeps that a piece excludes: a name must not exclude it from the whole text."""


def identifier_version() -> str | None:
    """Return the version of the identifier, or None without it."""
    return None if find_spec("lingua") is None else version("lingua-language-detector")


def known_languages() -> frozenset[str]:
    """Return the ISO 639-1 codes that the identifier tells apart; none without it."""
    return frozenset() if find_spec("lingua") is None else _known()


@cache
def _known() -> frozenset[str]:
    from lingua import Language

    return frozenset().union(*(same_as(_code_of(language)) for language in Language.all()))


def _code_of(language: Any) -> str:
    code: str = language.iso_code_639_1.name.lower()
    return _CANONICAL.get(code, code)


def identify(
    text: str,
    asked: str | None,
    script: str,
    distance: float = DISTANCE,
    prior: float | None = None,
    beside: str = ENGLISH,
) -> str | None:
    """Identify the language of a text that is written in one script.

    Args:
        text: Letters of that script and what is between them.
        asked: ISO 639-1 code of the language expected, or None.
        script: The script.
        distance: How far the two best probabilities must lie apart.
        prior: How much likelier `asked` and ``beside`` are beforehand than another language; None for the calibrated
            one.
        beside: The language that models fall back on, or that `asked` is compared with.

    Returns:
        An ISO 639-1 code, `asked` also for a language that is not told apart from it; None if that is not sure.
    """
    weight = prior or _PRIORS.get(script, _PRIOR)
    own = same_as(asked) if asked else frozenset[str]()
    shares: dict[str, float] = {}
    for found, share in _mean_shares(_pieces(text)).items():
        code = str(asked) if found in own else found
        shares[code] = shares.get(code, 0.0) + share * (weight if code in (asked, beside) else 1.0)
    if len(shares) < 2:
        return None
    best, second = sorted(shares, key=shares.__getitem__)[:-3:-1]
    return best if (shares[best] - shares[second]) / sum(shares.values()) >= distance else None


def _pieces(text: str) -> list[str]:
    """Cut a text between words into pieces of about the same length, below 120 characters."""
    count = math.ceil(len(text) / _PIECE)
    return textwrap.wrap(text, math.ceil(len(text) / max(count, 1)) + 9) if text.strip() else []


def _mean_shares(pieces: list[str]) -> dict[str, float]:
    """Return the geometric mean of the identifier's probabilities over pieces of a text, by language."""
    logs: dict[str, float] = {}
    for piece in pieces:
        for found in _detector().compute_language_confidence_values(piece):
            code = _code_of(found.language)
            logs[code] = logs.get(code, 0.0) + math.log(found.value + _LEAST_SHARE) / len(pieces)
    return {code: math.exp(value) for code, value in logs.items()}


@cache
def _detector() -> Any:
    # Models load when a text in their script first comes up: about 0.9 GB and 7 s for Latin letters, in the accurate
    # mode. The other one needs 0.1 GB and is wrong in up to 17 % where this one is in fewer than 1 %.
    from lingua import LanguageDetectorBuilder

    return LanguageDetectorBuilder.from_all_languages().build()
