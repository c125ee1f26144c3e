"""Find numbers in running text, as each language writes them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache

from mwork_eval.benchmarks.answers.digits import plain_digits, ungroup
from mwork_eval.benchmarks.answers.latex import without_latex
from mwork_eval.errors import InputError
from mwork_eval.languages.table import NumberRules, find_language, rows

_MONEY = "$€£¥₽฿₹₫₺"
_CURRENCY = rf"(?:(?<!\d)(?:US|HK|R|A|C)?[{_MONEY}]\s?)"
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2010\u2011\u2013\ufe63\uff0d", "-"),
        **dict(zip("\uff04\uffe5\uff1a\uff0f\u2044\uff1d\uff05", "$¥://=%", strict=True)),
        "\u066a": "%",
    }
)
_SUPERSCRIPT = re.compile("\u207b?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+")
_ONE_CHARACTER_FRACTION = re.compile("[\u00bc-\u00be\u2150-\u215e\u2189]")
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]")
# What may stand between the words of the answer's sentence and its number: a colon, Markdown's emphasis, quotation
# marks, brackets, the sign before a formula.
_BEFORE_NUMBER = r"[\s:*_`(\[=≈~+$\"'“„«「]*"
# Beyond it a number is written out by no one; Python refuses to convert more than 4300 digits.
_LONGEST = 1000
_SCALES = ("behind", "attached", "before")
# Letters after which a hyphen joins. Thai letters are none, and of the Chinese only those that end a number: nothing
# separates a sign from the word before it there.
_JOINED = rf"0-9A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0400-\u04ff)\]%{_MONEY}万萬亿億千百"


def parse_number(text: str, language: str) -> str | None:
    """Return the value of a text that is one number and nothing else, or None.

    Returns:
        The value in plain digits: no separators, no leading zeros, a point and the fraction only if it is not zero; a
        fraction that no decimal can write as ``1/3``. Two texts have the same value if and only if these are equal.
    """
    plain = _plain(text.strip())
    chain = _chain(plain, _number(language).match(plain), language)
    return _value(chain, language) if chain and chain[-1].end() == len(plain) else None


def last_number(text: str, language: str) -> str | None:
    """Return the value of the last number in ``text`` (see ``parse_number``), or None if there is none."""
    # Without the sentence's words: the dash of the Russian one is no minus.
    plain = _answer_sentence(language).sub(" ", _plain(text))
    chain: list[re.Match[str]] = []
    for match in _number(language).finditer(plain):
        chain = [*chain, match] if chain and _continues(chain[-1], match) else [match]
    return _value(chain, language) if chain else None


def stated_number(text: str, language: str) -> str | None:
    """Return the number of the first sentence of the kind "The answer is 18" in ``text``, or None.

    The sentences are those of lm-eval's ``mgsm_native_cot`` tasks; case and the amount of blanks do not matter.
    """
    plain = _plain(text)
    for sentence in _answer_sentence(language).finditer(plain):
        if chain := _chain(plain, _number(language).match(plain, sentence.end()), language):
            return _value(chain, language)
    return None


def _plain(text: str) -> str:
    """Write numbers in plain ASCII digits, without LaTeX and grouping, and their signs in ASCII."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text)).replace("\u0e4d\u0e32", "\u0e33")
        text = _SUPERSCRIPT.sub(lambda match: "^" + unicodedata.normalize("NFKC", match.group()), text)
        text = plain_digits(_ONE_CHARACTER_FRACTION.sub(_in_digits, text)).translate(_SIGNS)
    return ungroup(without_latex(text))


def _in_digits(match: re.Match[str]) -> str:
    before = match.string[: match.start()][-1:]
    return (" " if before.isdigit() else "") + unicodedata.normalize("NFKC", match.group())


def _rules(language: str) -> NumberRules:
    found = find_language(language)
    if found.numbers is None:
        raise InputError(
            "how numbers are written is not known",
            found=found.name,
            expected="one of " + " ".join(code for code, row in rows().items() if row.numbers),
        )
    return found.numbers


@cache
def _number(language: str) -> re.Pattern[str]:
    rules = _rules(language)
    behind, attached, before = map(_either, (rules.behind, rules.attached, rules.before))
    scale = rf"(?:[ \t]?(?P<behind>(?i:{behind})(?:[ \t](?i:{behind})){{0,2}})(?![\w-]))?" if behind else ""
    scale += rf"(?:[ \t]?(?P<attached>(?:(?!{_either(rules.unless)})(?:{attached})){{1,3}}))?" if attached else ""
    before = rf"(?:\b(?P<before>(?i:{before}))\s+)?" if before else ""
    # Of no use but speed: nearly every character is none that a number begins with.
    first = rf"(?=[-.\d{_MONEY}UHRAC{''.join(word[0] + word[0].upper() for word in rules.before)}])"
    # A hyphen after a digit, letter or bracket subtracts or joins; only elsewhere does it make a number negative.
    sign = rf"(?P<sign>(?<![{_JOINED}])-)?"
    fraction = r"(?<!/)(?:(?P<units>\d{1,4}) )?(?P<over>\d{1,15})/(?P<under>0{0,9}[1-9]\d{0,14})(?![\d/]|[.,]\d)"
    power = r"(?:\^(?P<power>\d{1,3})(?!\d))?"
    exponent = r"(?:[eE](?P<exponent>[-+]?\d{1,3})(?!\w)|\s?[×xX*·⋅]\s?10\^(?P<ten>[-+]?\d{1,3})(?!\d))?"
    number = rf"(?P<number>\d+(?:\.\d+)?|(?<![\w.])\.\d+)(?:{power}{exponent})"
    return re.compile(
        rf"{first}{sign}{before}(?:{_CURRENCY}(?P<inner_sign>-)?)?(?<![\d^])(?<!\^[-+])(?:{fraction}|{number}){scale}"
    )


@cache
def _answer_sentence(language: str) -> re.Pattern[str]:
    beginnings = [r"\s*".join(map(re.escape, words.split())) for words in _rules(language).answer]
    return re.compile(f"(?:{'|'.join(beginnings)}){_BEFORE_NUMBER}", re.IGNORECASE)


def _either(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _chain(plain: str, match: re.Match[str] | None, language: str) -> list[re.Match[str]]:
    """Return a match with those that continue its number, as in 1万2千."""
    chain: list[re.Match[str]] = []
    while match is not None and (not chain or _continues(chain[-1], match)):
        chain.append(match)
        match = _number(language).match(plain, match.end())
    return chain


def _continues(number: re.Match[str], match: re.Match[str]) -> bool:
    # Only where scales need no blank does a number go on directly behind one.
    return number.end() == match.start() and bool(number.groupdict().get("attached")) and match["sign"] is None


def _value(chain: list[re.Match[str]], language: str) -> str:
    first = chain[0].groupdict()
    negative = first["sign"] or first["inner_sign"]
    written = first["number"] or ""
    if len(written) > _LONGEST or (len(chain) == 1 and not _is_calculated(first)):
        value = _shortened(written)
    else:
        value = _written(sum((_number_of(match.groupdict(), language) for match in chain), Fraction(0)))
    return f"-{value}" if negative and value != "0" else value


def _is_calculated(groups: Mapping[str, str | None]) -> bool:
    return any(groups.get(name) for name in ("over", "power", "exponent", "ten", *_SCALES))


def _number_of(groups: Mapping[str, str | None], language: str) -> Fraction:
    if groups["over"] and groups["under"]:
        value = Fraction(int(groups["over"]), int(groups["under"]))
        # "3 12/4" are two numbers.
        if groups["units"] and value < 1:
            value += int(groups["units"])
    else:
        value = Fraction(groups["number"] or 0)
    power = int(groups["power"] or 1)
    if power > 0 and power * len(groups["number"] or "") <= _LONGEST:
        value **= power
    value *= Fraction(10) ** int(groups["exponent"] or groups["ten"] or 0)
    for kind in _SCALES:
        for word in _scale_word(language).findall(groups.get(kind) or ""):
            value *= _scales(language)[word.casefold()]
    return value


@cache
def _scales(language: str) -> dict[str, int]:
    rules = _rules(language)
    return {word.casefold(): factor for word, factor in (rules.behind | rules.attached | rules.before).items()}


@cache
def _scale_word(language: str) -> re.Pattern[str]:
    return re.compile(_either(_scales(language)) or r"(?!)", re.IGNORECASE)


def _shortened(number: str) -> str:
    whole, _, fraction = number.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _written(value: Fraction) -> str:
    over, under = value.numerator, value.denominator
    places = 0
    while 10**places % under:
        places += 1
        # Twos and fives only end within as many places as the denominator has bits.
        if places > under.bit_length():
            return f"{over}/{under}"
    if not places:
        return str(over)
    digits = str(over * 10**places // under).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
