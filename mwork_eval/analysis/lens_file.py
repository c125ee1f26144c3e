"""What a lens found, as a file: a line of JSON per language, mask, layer and class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from mwork_eval.analysis.shares import Curves
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue, dump, parse_as, read_bytes
from mwork_eval.files.seal import sealed, unsealed
from mwork_eval.files.writing import write_text_atomically
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.statistics.resampling import Estimate

METHODS = ("tokens", "words")


@dataclass(frozen=True)
class LensReport:
    """The curves of one method.

    Attributes:
        about: How they were made: method, model, options; JSON values.
        curves: A set of curves per language and mask, the whole model first.
    """

    about: Mapping[str, Any]
    curves: Sequence[Curves]


def lens_file(folder: Path, method: str) -> Path:
    """Return where the curves of a method are stored."""
    return folder / f"lens-{method}.jsonl"


def write_lens(report: LensReport, folder: Path) -> Path:
    """Write a first line that says how it was made, then a line per language, mask, layer and class."""
    path = lens_file(folder, report.about["method"])
    rows = [dict(report.about), *(row for curves in report.curves for row in lens_rows(curves))]
    write_text_atomically(path, sealed("".join(f"{dump(row)}\n" for row in rows)))
    return path


def lens_rows(curves: Curves) -> list[dict[str, Any]]:
    """Return a row per layer and class: its share with the interval, and what it is a share of."""
    return [
        {
            "language": curves.language,
            "masked": curves.masked,
            "layer": layer,
            "class": name,
            "share": share.value,
            "low": share.low,
            "high": share.high,
            "amount": float(curves.amounts[layer, column]),
            "tokens": None if curves.tokens is None else int(curves.tokens[layer, column]),
            "queries": curves.queries,
        }
        for layer, shares in enumerate(curves.shares)
        for column, (name, share) in enumerate(zip(curves.classes, shares, strict=True))
    ]


def read_lens(path: Path) -> LensReport:
    """Read a file of `write_lens`.

    Raises:
        InputError: If it is damaged.
    """
    hint = "run `lens` again"
    first, *lines = unsealed(read_bytes(path), path, hint).splitlines() or [b""]
    groups: dict[tuple[str, str | None], list[_LensRow]] = {}
    for number, line in enumerate(lines, 2):
        row = parse_as(_LensRow, line, f"{path}, line {number}", hint)
        groups.setdefault((row.language, row.masked), []).append(row)
    try:
        about = parse_as(_LensAbout, first, path, hint).model_dump(exclude_unset=True)
        pivot = str(about.get("pivot", ENGLISH))
        return LensReport(about, [_curves(*key, of_group, pivot) for key, of_group in groups.items()])
    except ValueError as error:
        raise InputError(f"{path} is damaged", found=error, hint=hint) from error


class _LensAbout(FileValue):
    """How curves were made."""

    method: str
    pivot: str = ENGLISH
    prompting: PromptingRecord | None = None
    model_args: dict[str, Any] = Field(default_factory=dict)


class _LensRow(FileValue):
    """A share of one layer and class, as `lens_rows` gives it."""

    language: str
    masked: str | None
    layer: int
    name: str = Field(alias="class")
    share: float
    low: float | None
    high: float | None
    amount: float
    tokens: int | None
    queries: int


def _curves(language: str, masked: str | None, rows: Sequence[_LensRow], pivot: str) -> Curves:
    classes = tuple(dict.fromkeys(row.name for row in rows))
    size = len(classes)
    if [(row.layer, row.name) for row in rows] != [(n // size, classes[n % size]) for n in range(len(rows))]:
        raise ValueError(f"the rows of {language} are not every class of every layer")
    estimates = [Estimate(row.share, row.low, row.high, None) for row in rows]
    tokens = [row.tokens for row in rows if row.tokens is not None]
    if len(tokens) not in (0, len(rows)):
        raise ValueError(f"{language} has numbers of tokens for some rows only")
    return Curves(
        language,
        masked,
        classes,
        [estimates[start : start + size] for start in range(0, len(rows), size)],
        np.array([row.amount for row in rows]).reshape(-1, size),
        np.array(tokens, float).reshape(-1, size) if tokens else None,
        rows[0].queries,
        pivot,
    )
