"""Values read from JSON files: checked against their types, and one line for what does not fit."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mwork_eval.errors import InputError


class FileValue(BaseModel):
    """A value that a file of ours holds: of exact types, never changed, with whatever newer versions added to it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")


Value = TypeVar("Value", bound=BaseModel)


def parse_json(kind: type[Value], text: str | bytes, what: object, hint: str | None = None) -> Value:
    """Read a value from JSON.

    Args:
        kind: Its type.
        text: The JSON.
        what: The file, for the error.
        hint: What to do about a damaged one.

    Raises:
        InputError: If it is no JSON, or something is missing or of another type; the first such place is named.
    """
    try:
        return kind.model_validate_json(text)
    except (ValidationError, InputError) as error:
        raise InputError(f"{what} is damaged", found=misfit(error), hint=hint) from error


def read_file(kind: type[Value], path: Path, form: tuple[str, int], hint: str) -> Value:
    """Read a file of ours that says what it is.

    Args:
        kind: The type of its value.
        path: The file.
        form: Its format and version.
        hint: What to do about a damaged one.

    Raises:
        InputError: If it is of another format or version, or damaged.
    """
    text = path.read_bytes()
    head = parse_json(_Head, text, path, hint)
    if (head.format, head.version) != form:
        raise InputError(
            f"{path} is of another kind",
            found=f"{head.format} version {head.version}",
            expected=f"{form[0]} version {form[1]}",
        )
    return parse_json(kind, text, path, hint)


class _Head(BaseModel):
    """What tells the kind of a file."""

    format: Any = None
    version: Any = None


def misfit(error: Exception) -> str:
    """Return what does not fit in one line: of a value with several such places, the first."""
    if not isinstance(error, ValidationError):
        return str(error)
    first, *_ = error.errors(include_url=False, include_input=False)
    place = ".".join(map(str, first["loc"]))
    reason = first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason
