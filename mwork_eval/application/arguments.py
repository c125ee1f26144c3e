"""Numbers, names and folders that the public functions are given, checked before a model is loaded or works."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, overload

from mwork_eval.benchmarks.task_family import benchmark_name
from mwork_eval.errors import InputError
from mwork_eval.evaluation.sampling import EVEN, Order
from mwork_eval.languages.table import check_language
from mwork_eval.neurons.stages import parse_positions

Names = str | Path | Iterable[str | Path]
"""One name, several joined by commas, or several."""
Numbers = int | Iterable[int]
"""One number, or several."""
_LONGEST = 80


@overload
def whole_number(name: str, value: Any, *, at_least: int, none_is: None = None) -> int: ...


@overload
def whole_number(name: str, value: Any, *, at_least: int, none_is: str) -> int | None: ...


def whole_number(name: str, value: Any, *, at_least: int, none_is: str | None = None) -> int | None:
    """Return a whole number, of numpy too, as an int.

    Args:
        name: What messages call it.
        value: What was given.
        at_least: The smallest that makes sense.
        none_is: What None stands for, in words; without it None is wrong.

    Raises:
        InputError: If it is none, or too small.
    """
    if value is None and none_is is not None:
        return None
    if not _is_whole(value) or value < at_least:
        also = "" if none_is is None else f", or None for {none_is}"
        raise InputError(f"unusable {name}", found=shown_value(value), expected=f"a whole number from {at_least}{also}")
    return int(value)


def whole_numbers(name: str, value: Any, *, at_least: int, example: str, alone: bool = False) -> tuple[int, ...]:
    """Return whole numbers as they were given; there may be none.

    Args:
        name: What messages call them.
        value: What was given.
        at_least: The smallest that makes sense.
        example: Some that do.
        alone: Whether one number may stand for a list of it.

    Raises:
        InputError: If it is no list of them, or one is too small.
    """
    given = [value] if alone and _is_whole(value) else value
    several = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else None
    if several is None or not all(_is_whole(one) and one >= at_least for one in several):
        found = shown_value(value if several is None else several)
        raise InputError(f"unusable {name}", found=found, expected=f"whole numbers from {at_least} such as {example}")
    return tuple(int(one) for one in several)


def limits_of(value: Any) -> tuple[int | None, dict[str, int]]:
    """Return how many documents of each task are taken, None for all, and by benchmark where it is another number.

    Raises:
        InputError: If it is neither a number nor a mapping from benchmarks to numbers, or one has two.
    """
    if not isinstance(value, Mapping):
        return whole_number("limit", value, at_least=1, none_is="all"), {}
    if not all(isinstance(name, str) for name in value):
        raise InputError("unusable limit", found=shown_value(value), expected="a number, or {'xlsum': 500}")
    limits: dict[str, int] = {}
    for name, given in value.items():
        limit, benchmark = whole_number(f"limit of {name}", given, at_least=1), benchmark_name(name)
        if limits.setdefault(benchmark, limit) != limit:
            raise InputError(
                f"two limits of {benchmark}", found=f"{limits[benchmark]} {limit}", expected="one for each benchmark"
            )
    return None, limits


def seeds_of(name: str, value: Any) -> tuple[int, ...]:
    """Return seeds, each once. A single number is none: it might be their number.

    Raises:
        InputError: If one is no seed.
    """
    return tuple(dict.fromkeys(whole_numbers(name, value, at_least=0, example="[1, 2, 3]")))


def share_or_number(name: str, value: Any) -> int | float | None:
    """Return a number of documents, or a share of them below 1; None for all.

    Raises:
        InputError: If it is neither.
    """
    if value is None or (_is_whole(value) and value >= 1):
        return None if value is None else int(value)
    if isinstance(value, float) and (0 < value < 1 or (value >= 1 and value.is_integer())):
        return value if value < 1 else int(value)
    expected = "a whole number from 1, a share between 0 and 1, or None for all"
    raise InputError(f"unusable {name}", found=shown_value(value), expected=expected)


def names_of(name: str, value: Any) -> list[str]:
    """Return names, each once; one text may hold several, joined by commas, as in the commands.

    Raises:
        InputError: If it is no name and no list of names.
    """
    if isinstance(value, str):
        given: Sequence[Any] = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, PathLike):
        given = [value]
    elif isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        given = list(value)
    else:
        raise InputError(f"unusable {name}", found=shown_value(value), expected="a name, or a list of names")
    if wrong := [one for one in given if not isinstance(one, str | PathLike)]:
        raise InputError(f"unusable {name}", found=shown_value(wrong[0]), expected="names")
    return list(dict.fromkeys(str(one) for one in given))


def languages_of(value: Any, name: str = "languages") -> list[str]:
    """Return languages, given as a list or as `en,zh`.

    Raises:
        InputError: If there is none, or one is unknown.
    """
    codes = list(dict.fromkeys(map(check_language, names_of(name, value))))
    if not codes:
        raise InputError("no language given", found=shown_value(value), expected="a list such as ['en', 'zh']")
    return codes


def pivot_of(value: Any) -> str:
    """Return the language that the others are compared with.

    Raises:
        InputError: If it is none, or several.
    """
    if not isinstance(value, str):
        raise InputError("unusable pivot", found=shown_value(value), expected="a language such as 'zh'")
    return check_language(value)


def one_of(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return a word that is one of some.

    Raises:
        InputError: If it is not.
    """
    words = list(choices)
    if not isinstance(value, str) or value not in words:
        raise InputError(f"unknown {name}", found=shown_value(value), expected=" or ".join(words))
    return value


def flag_of(name: str, value: Any) -> bool:
    """Return what is True or False.

    Raises:
        InputError: If it is neither.
    """
    if not isinstance(value, bool):
        raise InputError(f"unusable {name}", found=shown_value(value), expected="True or False")
    return value


def order_of(sample_seed: Any) -> Order:
    """Return the order in which documents of a task are taken: at random by a seed, or evenly spread without one.

    Raises:
        InputError: If it is no seed.
    """
    seed = whole_number("sample_seed", sample_seed, at_least=0, none_is="documents evenly spread over the task")
    return EVEN if seed is None else seed


def positions_of(value: Any) -> str:
    """Return positions joined by `+`, given so or as a list.

    Raises:
        InputError: If one is unknown.
    """
    joined = value if isinstance(value, str) else "+".join(names_of("positions", value))
    parse_positions(joined)
    return joined


def shard_of(value: Any) -> tuple[int, int]:
    """Return which share of the cells, from 0, and of how many.

    Raises:
        InputError: If it is no such pair.
    """
    pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if len(pair) != 2 or not all(map(_is_whole, pair)) or not 0 <= pair[0] < pair[1]:
        raise InputError(
            "unusable shard", found=shown_value(value), expected="(share, shares), such as (0, 2) for the first half"
        )
    return int(pair[0]), int(pair[1])


def folder_to_read(name: str, value: Any) -> Path:
    """Return a path.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(value, str | PathLike):
        raise InputError(f"unusable {name}", found=shown_value(value), expected="a folder")
    return Path(value)


def folder_to_write(value: Any, name: str = "out") -> Path | None:
    """Return a folder that can be made and written to, or None; nothing is made yet.

    Raises:
        InputError: If it is a file, or nothing can be written there.
    """
    if value is None:
        return None
    folder = folder_to_read(name, value)
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"unusable {name}", found=f"the file {there}", expected="a folder")
    try:
        with tempfile.TemporaryDirectory(dir=there):  # permissions alone do not tell, as in a read-only file system
            pass
    except OSError as error:
        raise InputError(
            f"unusable {name}", found=f"{folder}: {error.strerror}", expected="a folder to write to"
        ) from error
    return folder


def dtype_name(dtype: Any) -> str | None:
    """Return the name of a dtype, which may be one of torch."""
    return None if dtype is None else str(dtype).removeprefix("torch.")


def shown_value(value: Any) -> str:
    """Return a value as a message shows it: plain ones whole, of others the kind."""
    if isinstance(value, Mapping):
        return f"a mapping of {', '.join(map(repr, value))}"[:_LONGEST] if value else "{}"
    if isinstance(value, list | tuple):
        inner = [shown_value(one) for one in value[:4]] + (["…"] if len(value) > 4 else [])
        return f"[{', '.join(inner)}]" if isinstance(value, list) else f"({', '.join(inner)})"
    if value is None or isinstance(value, str | int | float | PathLike):
        text = repr(str(value) if isinstance(value, PathLike) else value)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"a {type(value).__name__}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
