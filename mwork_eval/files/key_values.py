"""Arguments written as lm-eval writes them: `key=value,...`, or JSON."""

import ast
import re
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import parse

_OPENING, _CLOSING, _QUOTES = "[({", "])}", "'\""
_WORDS = {"true": True, "false": False, "none": None}


def parse_key_values(name: str, text: str) -> dict[str, Any]:
    r"""Read arguments such as `temperature=0.7,do_sample=true,until=["\n"]`, or a JSON object of them.

    Values are read as lm-eval reads them: `true`, `none`, numbers, quoted texts, lists, and else the text itself.

    Args:
        name: What messages call them.
        text: The text.

    Raises:
        InputError: If it cannot be read, or names an argument twice.
    """
    expected = "key=value,... or a JSON object"
    if text.strip().startswith("{"):
        try:
            return dict(parse(text))
        except ValueError as error:
            raise InputError(f"cannot read `{name}`", found=text, expected=expected) from error
    found: dict[str, Any] = {}
    for part in _parts(name, text):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise InputError(f"cannot read `{name}`", found=part, expected=expected)
        if key in found:
            raise InputError(f"`{name}` has an argument twice", found=key, expected="each once")
        found[key] = _value(name, value.strip())
    return found


def _parts(name: str, text: str) -> list[str]:
    """Split at commas that are in no brackets and no quotes; an apostrophe inside a word is no quote.

    Raises:
        InputError: If a quote is not closed.
    """
    parts, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in _QUOTES and (depth > 0 or parts[-1].rstrip().endswith("=")):
            quote = sign
        elif sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
        elif sign == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += sign
    if quote:
        raise InputError(f"cannot read `{name}`", found=text, expected=f"a {quote} that closes the one of a value")
    return [part for part in parts if part.strip()]


def plain_value(text: str) -> Any:
    """Read a value without brackets: a quoted text, true, false, none, a number, and else the text itself."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        return text


def _value(name: str, text: str) -> Any:
    if text[:1] not in (*_OPENING,):
        return plain_value(text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # the last two: brackets without end
        pass
    try:
        return parse(text)
    except ValueError as error:
        raise InputError(f"cannot read `{name}`", found=text, expected='a list such as ["\\n"]') from error
