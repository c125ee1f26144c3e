"""What a lens found, as a file: a line of JSON per language, mask, layer and class."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mwork_eval.analysis.shares import Curves
from mwork_eval.digests import canonical_json, write_text_atomically
from mwork_eval.errors import InputError
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
    write_text_atomically(path, "".join(canonical_json(row) + "\n" for row in rows))
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
    try:
        about, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
        groups: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
        for row in rows:
            groups.setdefault((row["language"], row["masked"]), []).append(row)
        return LensReport(about, [_curves(*key, of_group) for key, of_group in groups.items()])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged", found=repr(error), hint="run `lens` again") from error


def _curves(language: str, masked: str | None, rows: Sequence[Mapping[str, Any]]) -> Curves:
    classes = tuple(dict.fromkeys(row["class"] for row in rows))
    size = len(classes)
    estimates = [Estimate(row["share"], row["low"], row["high"], None) for row in rows]
    counted = rows[0]["tokens"] is not None
    return Curves(
        language,
        masked,
        classes,
        [estimates[start : start + size] for start in range(0, len(rows), size)],
        np.array([row["amount"] for row in rows]).reshape(-1, size),
        np.array([float(row["tokens"]) for row in rows]).reshape(-1, size) if counted else None,
        rows[0]["queries"],
    )
