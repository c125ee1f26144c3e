"""What a language is called in FineWeb-2: by the codes of ISO 639-3 and 15924, of individual languages."""

from functools import cache
from pathlib import Path

import yaml

from mwork_eval.languages.tags import facts_of, standards_of

_SCRIPTS = {"Hans": "Hani", "Hant": "Hani", "Kore": "Hang"}


@cache
def fineweb_2_name(language: str) -> str | None:
    """Return the name of a language in FineWeb-2, or None if it is not there.

    A macrolanguage is there under its standard form (`zh` is `cmn_Hani`), a script only where its texts are apart
    (`sr-Latn`, but not `zh-Hant`), a territory never.
    """
    facts = facts_of(language)
    if facts is None or facts.script is None or language.count("-") > facts.has_script:
        return None
    script = _SCRIPTS.get(facts.script, facts.script)
    if facts.has_script and script != facts.script:
        return None
    codes = dict.fromkeys([facts.alpha3, *standards_of(facts.language)])
    return next((f"{code}_{script}" for code in codes if code in _names().get(script, ())), None)


@cache
def _names() -> dict[str, frozenset[str]]:
    text = Path(__file__).with_name("fineweb_2.yaml").read_text(encoding="utf-8")
    return {script: frozenset(codes.split()) for script, codes in yaml.safe_load(text).items()}
