"""Find numbers in running text, as each language writes them."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# The grouping signs of every language: apostrophes, and the no-break, figure, thin and narrow no-break blanks.
_COMMON_GROUPING = "'’\u00a0\u2007\u2009\u202f"
_CURRENCY = r"(?:(?:US|R)?[$€£¥₽฿₹]\s?)"
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff0d": "-", "\uff04": "$", "\uff1a": ":"})
_FULL_WIDTH_SEPARATOR = re.compile("(?<=[\uff10-\uff19])[\uff0c\uff0e](?=[\uff10-\uff19])")
_ARABIC_THOUSANDS = re.compile(r"(?<=\d)\u066c(?=\d)")
# What may stand between the words of the answer's sentence and its number: a colon, Markdown's emphasis, a bracket.
_BEFORE_NUMBER = r"[\s:*_(=\\]*"


def parse_number(text: str, language: str) -> str | None:
    """Return the value of a text that is one number and nothing else, or None.

    Returns:
        The value in plain digits: no separators, no leading zeros, a point and the fraction only if it is not zero.
        Two texts have the same value if and only if these are equal; no precision is lost.
    """
    match = _number(language).fullmatch(_plain(text.strip()))
    return None if match is None else _value(match)


def last_number(text: str, language: str) -> str | None:
    """Return the value of the last number in ``text`` (see ``parse_number``), or None if there is none."""
    value = None
    for match in _number(language).finditer(_plain(text)):
        value = _value(match)
    return value


def stated_number(text: str, language: str) -> str | None:
    """Return the number of the first sentence of the kind "The answer is 18" in ``text``, or None.

    The sentences are those of lm-eval's ``mgsm_native_cot`` tasks; case and the amount of blanks do not matter.
    """
    plain = _plain(text)
    for sentence in _answer_sentence(language).finditer(plain):
        if match := _number(language).match(plain, sentence.end()):
            return _value(match)
    return None


def _plain(text: str) -> str:
    """Replace native digits, minus signs and full-width signs by ASCII; blanks stay as they are."""
    text = unicodedata.normalize("NFC", text)
    # A full-width comma between other characters is Chinese punctuation, not a separator.
    text = _FULL_WIDTH_SEPARATOR.sub(lambda match: "," if match.group() == "\uff0c" else ".", text)
    text = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    return _ARABIC_THOUSANDS.sub("", text).replace("\u066b", ".").translate(_SIGNS)


@cache
def _rules(language: str) -> dict[str, Any]:
    table = yaml.safe_load(Path(__file__).with_name("numbers.yaml").read_text(encoding="utf-8"))
    rules: dict[str, Any] = table[language]
    return rules


@cache
def _number(language: str) -> re.Pattern[str]:
    rules = _rules(language)
    grouping = f"[{re.escape(rules['thousands'] + _COMMON_GROUPING)}]"
    decimal = f"[{re.escape(rules['decimal'])}]"
    # Each form as digits of the whole and of the fraction. The first three cannot be misread whatever the language
    # ("1,234.50", "1.234,50", "1,234,567"): models often write numbers the English way in other languages.
    forms = [
        (r"\d{1,3}(?:,\d{3})+", r"\.(?P<{f}>\d+)"),
        (r"\d{1,3}(?:\.\d{3})+", r",(?P<{f}>\d+)"),
        (r"\d{1,3}(?:(?:,\d{3}){2,}|(?:\.\d{3}){2,})(?!\d)", r"(?P<{f}>)"),
        (rf"\d{{1,3}}(?:{grouping}\d{{3}})+(?!\d)", rf"(?:{decimal}(?P<{{f}}>\d+))?"),
        (r"\d+", rf"(?:{decimal}(?P<{{f}}>\d+))?"),
        (r"", r"(?<![\w.])\.(?P<{f}>\d+)"),
    ]
    either = "|".join(
        f"(?P<whole{index}>{whole})" + fraction.replace("{f}", f"fraction{index}")
        for index, (whole, fraction) in enumerate(forms)
    )
    # A hyphen after a digit, letter or bracket subtracts or joins; only elsewhere does it make a number negative.
    # Chinese and Thai letters are no obstacle: nothing separates a sign from the word before it there.
    sign = r"(?P<sign>(?<![0-9A-Za-z\u00c0-\u024f\u0400-\u04ff)\]])-)?"
    return re.compile(rf"{sign}{_CURRENCY}?(?P<inner_sign>(?<=[$€£¥₽฿₹])-)?(?<!\d)(?:{either})")


@cache
def _answer_sentence(language: str) -> re.Pattern[str]:
    beginnings = [r"\s*".join(map(re.escape, words.split())) for words in _rules(language)["answer"]]
    return re.compile(f"(?:{'|'.join(beginnings)}){_BEFORE_NUMBER}", re.IGNORECASE)


def _value(match: re.Match[str]) -> str:
    groups = match.groupdict()
    form = next(name.removeprefix("whole") for name, found in groups.items() if "whole" in name and found is not None)
    whole = "".join(char for char in groups[f"whole{form}"] if char.isdigit()).lstrip("0") or "0"
    fraction = (groups[f"fraction{form}"] or "").rstrip("0")
    value = f"{whole}.{fraction}" if fraction else whole
    negative = (groups["sign"] or groups["inner_sign"]) and value != "0"
    return f"-{value}" if negative else value
