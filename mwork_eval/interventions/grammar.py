"""The text of an intervention: `KIND[:VALUE][:NAME=VALUE]...`, such as `scale:0.5` or `residual:de:from=zh`."""

import math
from collections.abc import Collection

from mwork_eval.errors import InputError
from mwork_eval.languages.table import check_language


def check_number(what: str, value: object) -> float:
    """Return a number that was given as one or as a text.

    Raises:
        InputError: If it is no finite number.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{what} is no number", found=repr(value), expected="a finite number, such as 0.5")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def read_language(kind: str, text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """Return the language that a value begins with, and the options behind it.

    Args:
        kind: The kind, for messages.
        text: `LANGUAGE[:NAME=VALUE]...`.
        names: The options there are.

    Raises:
        InputError: If there is no language, or an option is unknown or given twice.
    """
    first, *rest = text.split(":")
    if not first or "=" in first:
        raise InputError(f"no language in {kind}", found=repr(text), expected=f"{kind}:LANGUAGE, such as {kind}:de")
    options: dict[str, str] = {}
    for part in rest:
        name, sign, value = part.partition("=")
        if name not in names or not sign or not value:
            expected = " ".join(f"{one}=VALUE" for one in names)
            raise InputError(f"unknown option of {kind}", found=repr(part), expected=f"some of {expected}")
        if name in options:
            raise InputError(f"an option of {kind} stands twice", found=name, expected="it once")
        options[name] = value
    return check_language(first), options


def written(first: str, options: dict[str, object]) -> str:
    """Return a value as text; the reverse of `read_language`."""
    return ":".join([first, *(f"{name}={value}" for name, value in options.items())])
