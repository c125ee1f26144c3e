"""Chinese or Japanese, simplified or traditional: kana tell, signs that only one of the two writes, and the length."""

import regex

_HAN = regex.compile(r"\p{Script=Han}")
_KANA = regex.compile(r"[\p{Script=Hiragana}\p{Script=Katakana}]")

ENOUGH_SIGNS = 10
"""So many Chinese characters without kana are Chinese. Of 16,400 runs in 123 Japanese documents, 5 were as long."""
HAN_LANGUAGES = frozenset({"zh", "ja"})
"""The languages that are told apart here."""
CHINESE_SCRIPTS = frozenset({"Hans", "Hant"})
"""Simplified and traditional, in codes of ISO 15924."""
_FEWEST_KANA = 0.3
"""Share of kana from which on a text with signs of Chinese only is not Chinese; below, a name is quoted."""


def chinese_or_japanese(text: str) -> str | None:
    """Tell Chinese from Japanese.

    A sign that Japan's character set (JIS X 0208) lacks is Chinese; one that China's (GB 2312) and Taiwan's (Big5) both
    lack but JIS has is Japanese.

    Returns:
        `zh`, `ja`, or None if the text could be either, or is neither.
    """
    signs, kana = _HAN.findall(text), len(_KANA.findall(text))
    chinese = any(not _in(sign, "shift_jis") for sign in signs)
    if kana:
        mostly_kana = kana >= _FEWEST_KANA * (kana + len(signs))
        return (None if mostly_kana else "zh") if chinese else "ja"
    japanese = any(_in(sign, "shift_jis") and not (_in(sign, "gb2312") or _in(sign, "big5")) for sign in signs)
    if chinese or japanese:
        return None if chinese and japanese else "zh" if chinese else "ja"
    return "zh" if len(signs) >= ENOUGH_SIGNS else None


def simplified_or_traditional(text: str) -> str | None:
    """Tell in which script a Chinese text is written.

    A sign that China's character set (GB 2312) has and Taiwan's (Big5) lacks is simplified, the reverse traditional.

    Returns:
        `Hans`, `Hant`, or None if the text has signs of neither or both.
    """
    signs = set(_HAN.findall(text))
    simplified = any(_in(sign, "gb2312") and not _in(sign, "big5") for sign in signs)
    traditional = any(_in(sign, "big5") and not _in(sign, "gb2312") for sign in signs)
    return None if simplified == traditional else "Hans" if simplified else "Hant"


def _in(sign: str, character_set: str) -> bool:
    try:
        sign.encode(character_set)
    except UnicodeEncodeError:
        return False
    return True
