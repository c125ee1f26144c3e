"""The languages of the benchmarks, by ISO 639-1 code."""

from mwork_eval.errors import InputError

NAMES: dict[str, str] = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "zh": "Chinese",
    "es": "Spanish",
    "ru": "Russian",
    "vi": "Vietnamese",
    "th": "Thai",
    "ar": "Arabic",
    "sw": "Swahili",
    "el": "Greek",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pt": "Portuguese",
    "ro": "Romanian",
    "tr": "Turkish",
}
"""English name per language code: the paper's ten in its order, then further ones of XQuAD and of free text."""

ENGLISH = "en"


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
