r"""Write LaTeX as chat models use it around numbers (``\boxed{70{,}000}``, ``\frac{1}{2}``) as plain text."""

import re

_LITERALS = re.compile(r"(?:\\math[a-z]+)?\{((?:\\?,|[.'\s]))\}")
_SPACES = re.compile(r"\\(?:thinspace|medspace|,|:|;|>| )|(?<=\d)~(?=\d)")
_NOTHING = re.compile(r"\\(?:!|left|right|displaystyle|big|Big)(?![A-Za-z])")
_POWER = re.compile(r"\^\s*\{\s*([-+]?\d+)\s*\}")
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")
_SIGNS = {"times": "×", "cdot": "×", "div": "÷", "pm": "±", "pounds": "£", "euro": "€", "textdollar": "$"}
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_ESCAPED = re.compile(r"\\([$%#&_€£])")


def without_latex(text: str) -> str:
    r"""Replace LaTeX by what it shows.

    Separators in braces and thin spaces become what they stand for, fractions ``1/2``, escaped signs themselves; other
    commands, braces and ``\(``, ``\[`` become blanks, and their arguments stay.
    """
    if "\\" not in text and "{" not in text:
        return text
    text = _LITERALS.sub(r"\1", text)
    text = _NOTHING.sub("", text)
    text = _SPACES.sub(" ", text)
    text = _ESCAPED.sub(r"\1", text)
    text = _POWER.sub(r"^\1", text)
    text = _FRACTION.sub(_fraction, text)
    text = _COMMAND.sub(lambda match: _SIGNS.get(match[1], " "), text)
    return re.sub(r"[{}]|\\[()\[\]]", " ", text).replace("\\\\", "\n")


def _fraction(match: re.Match[str]) -> str:
    over, under = match[1] or match[2], match[3] or match[4]
    # After a digit it is a mixed number, 2 1/2.
    before = match.string[: match.start()][-1:]
    return f"{' ' if before.isdigit() else ''}{over}/{under}"
