"""JSON under limits: finite numbers, real text, bounded size and nesting; and values of exact types read from it."""

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mwork_eval.errors import InputError, shortened

LARGEST = 2**30
"""Bytes of the largest JSON file or line that is read; a cell of 10,000 documents has some 50 MB."""
_HUGE_EXPONENT = re.compile(rb"[\s,:\[]-?[0-9][0-9.]*[eE]\+?[0-9]{3}")
"""Where a number may be beyond the largest float, which the parser turns into infinity; in digests it is none."""


class FileValue(BaseModel):
    """A value that a file of ours holds: of exact types, never changed, with whatever newer versions added to it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


Value = TypeVar("Value")


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """Read a file that must not be larger than ``largest`` bytes.

    Raises:
        InputError: If it is larger.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise InputError(f"{path} is too large", found=f"{path.stat().st_size:,} bytes", expected=f"up to {largest:,}")
    return content


def parse(text: str | bytes, *, foreign: bool = False) -> Any:
    """Return what a JSON text says.

    Numbers are finite, integers have at most 4,300 digits, texts no lone surrogates, and values nest at most 200 deep.

    Args:
        text: The JSON, UTF-8 if bytes.
        foreign: Whether another program wrote it, which may write what JSON does not know: NaN and the infinities are
            then missing values, None.

    Raises:
        ValueError: If it is anything else.
    """
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    if len(raw) > LARGEST:
        raise ValueError(f"{len(raw):,} bytes, more than {LARGEST:,}")
    try:
        value = pydantic_core.from_json(raw, allow_inf_nan=False)
    except ValueError:
        if not foreign:
            raise
        value = pydantic_core.from_json(raw, allow_inf_nan=True)
        return _finite(value)
    if _HUGE_EXPONENT.search(raw) and value != (finite := _finite(value)):
        if not foreign:
            raise ValueError("a number beyond the largest float")
        return finite
    return value


def parse_lines(text: bytes, *, foreign: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON Lines, under the limits of `parse`.

    Raises:
        ValueError: If a line is anything else.
    """
    if _HUGE_EXPONENT.search(text) or foreign:
        read: Callable[[bytes], Any] = partial(parse, foreign=foreign)
    else:  # looked at once instead of line by line
        read = partial(pydantic_core.from_json, allow_inf_nan=False)
    for line in text.splitlines():
        value = read(line)
        if not isinstance(value, dict):
            raise ValueError(f"a line that is a {type(value).__name__}")
        yield value


def _finite(value: Any) -> Any:
    """Return ``value`` with None for what is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return {key: _finite(one) for key, one in value.items()} if isinstance(value, dict) else value


def parse_as(kind: type[Value], text: str | bytes, what: object, hint: str | None = None) -> Value:
    """Read a value of a type from JSON.

    Args:
        kind: Its type, such as a `FileValue` or a dataclass.
        text: The JSON.
        what: The file, for the error.
        hint: What to do about a damaged one.

    Raises:
        InputError: If it is no JSON, or something is missing or of another type; the first such place is named.
    """
    try:
        if not issubclass(kind, FileValue) or _HUGE_EXPONENT.search(text.encode() if isinstance(text, str) else text):
            parse(text)  # else fields of any type take infinity
        hashable: Any = kind
        value: Value = _adapter(hashable).validate_json(text, strict=True)
        return value
    except (ValueError, InputError) as error:
        raise InputError(f"{what} is damaged", found=misfit(error), hint=hint) from error


def value_as(kind: type[Value], value: Any, what: object, hint: str | None = None) -> Value:
    """Read a value of a type from a parsed one, whose lists may stand for tuples.

    Raises:
        InputError: As `parse_as` does.
    """
    return parse_as(kind, pydantic_core.to_json(value), what, hint)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def misfit(error: Exception) -> str:
    """Return what does not fit in one line: of a value with several such places, the first."""
    if not isinstance(error, ValidationError):
        return shortened(error)
    first, *_ = error.errors(include_url=False, include_input=False)
    place = ".".join(map(str, first["loc"]))
    reason = first["msg"].removeprefix("Value error, ")
    return shortened(f"{place}: {reason}" if place else reason)


def dump(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Return ``value`` as JSON; what JSON does not know (dates of a data set, for example) as `str` shows it.

    Numbers that are not finite become their names as text.
    """
    options: dict[str, Any] = {"ensure_ascii": False, "default": str, "indent": indent, "sort_keys": sort_keys}
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_named(value), allow_nan=False, **options)


def _named(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_named(one) for one in value]
    return {key: _named(one) for key, one in value.items()} if isinstance(value, dict) else value
