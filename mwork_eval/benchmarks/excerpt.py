"""Shorten a text without breaking a sentence."""

import re
import unicodedata

# A Latin full stop ends a sentence only before white space ("3.5"); an ideographic one needs nothing after it.
_SENTENCE_END = re.compile(r"[.!?…؟۔।]+[\"'”’»)\]]*(?=\s)|[。！？]+[”’」』）]*|\n")
_BLANK = re.compile(r"\s+")


def excerpt(text: str, limit: int) -> str:
    """Return the beginning of ``text``, at most ``limit`` characters, cut at the end of a sentence or paragraph.

    Where the second half of the excerpt holds no sentence end (Thai writes none), the cut is at the last blank there;
    without a blank it is before the last complete character, never between a letter and its combining marks.

    Args:
        text: The text to shorten; white space around it is dropped.
        limit: Longest result in characters (code points), at least 2.
    """
    text = text.strip()
    if len(text) <= limit:
        return text
    for pattern in (_SENTENCE_END, _BLANK):
        ends = [match.end() for match in pattern.finditer(text, 0, limit + 1) if limit // 2 <= match.end() <= limit]
        if ends:
            return text[: ends[-1]].rstrip()
    cut = limit
    while cut > 1 and unicodedata.category(text[cut]).startswith("M"):
        cut -= 1
    return text[:cut]
