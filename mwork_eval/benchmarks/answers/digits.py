"""Write every number of a text in plain digits: 1,234.5 and 1 234,5 and ١٬٢٣٤٫٥ as 1234.5."""

import re
import unicodedata

_NATIVE_DIGIT = re.compile(r"(?![0-9])\d")
_BLANKS = " \u00a0\u2002-\u200a\u202f"
_POINTS = ".\uff0e"
# Commas that may also be a sentence's, and are never a decimal sign: Chinese and Arabic ones.
_SENTENCE_COMMAS = "\uff0c\ufe50\ufe51\u060c"
_APOSTROPHES = "'\u2019\u02bc_"
_GROUPING = f"{_POINTS},\u066c{_SENTENCE_COMMAS}{_APOSTROPHES}"
_DECIMAL = f"{_POINTS},\u066b"

# Digits joined by blanks (only in groups of three), or by any other sign that groups or begins a fraction.
_RUN = re.compile(
    rf"(?<!\d)(?<!\d[.,])[1-9]\d{{0,2}}(?:[{_BLANKS}]\d{{3}})+(?!\d)(?:[{_DECIMAL}]\d+)?"
    rf"|(?<!\d)\d+(?:[{_GROUPING}\u066b]\d+)+"
)
_GROUPED_BY_BLANKS = re.compile(rf"(?P<whole>\d+(?:[{_BLANKS}]\d+)+)(?:[{_DECIMAL}](?P<fraction>\d+))?")
_GROUPED = re.compile(
    rf"(?P<whole>[1-9]\d{{0,2}}(?P<sign>[{_GROUPING}])\d{{3}}(?:(?P=sign)\d{{3}})*)"
    rf"(?:(?!(?P=sign))[{_DECIMAL}](?P<fraction>\d+))?"
)
_LAKHS = re.compile(r"(?P<whole>[1-9]\d?(?:,\d{2})+,\d{3})(?:\.(?P<fraction>\d+))?")
_DECIMALS = re.compile(rf"(?P<whole>\d+)[{_DECIMAL}](?P<fraction>\d+)")
_FORMS = (_GROUPED_BY_BLANKS, _GROUPED, _LAKHS, _DECIMALS)
_NOT_A_DIGIT = re.compile(r"\D")
_NO_DECIMAL_SIGN = re.compile(
    f"(?<=\\d)(?=[{_SENTENCE_COMMAS}{_APOSTROPHES}])|(?<=[{_SENTENCE_COMMAS}{_APOSTROPHES}])(?=\\d)"
)


def plain_digits(text: str) -> str:
    """Replace the decimal digits of every script by ASCII ones."""
    if text.isascii():
        return text
    return _NATIVE_DIGIT.sub(lambda match: str(unicodedata.decimal(match.group())), text)


def ungroup(text: str) -> str:
    """Take the grouping out of numbers and write their decimal sign as a point.

    One rule for every language: a comma, point, apostrophe or blank between digits that is followed by exactly three
    of them groups (so does one before lakhs, 1,00,000), if no zero comes first; after groups, another sign begins the
    fraction; a single comma or point with any other number of digits begins a fraction. Whatever fits none of this
    (1,2,3 or 12.05.2020) is several numbers and stays as it is.

    Args:
        text: With ASCII digits, see ``plain_digits``.
    """
    return _RUN.sub(lambda match: _without_grouping(match.group()), text)


def _without_grouping(run: str) -> str:
    for form in _FORMS:
        if match := form.fullmatch(run):
            whole = _NOT_A_DIGIT.sub("", match["whole"])
            return f"{whole}.{match['fraction']}" if match["fraction"] else whole
    pieces = _NO_DECIMAL_SIGN.split(run)
    return run if len(pieces) == 1 else "".join(map(_without_grouping, pieces))
