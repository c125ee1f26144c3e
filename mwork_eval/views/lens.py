"""What a lens found, as a file, a table and a plot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mwork_eval.analysis.shares import Curves, crossings
from mwork_eval.digests import canonical_json, write_text_atomically
from mwork_eval.errors import InputError
from mwork_eval.reports.console import print_whole
from mwork_eval.statistics.resampling import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("tokens", "words")
COLORS = {"english": "#5b7f9e", "query": "#b5462f", "other": "#6b8e4e", "undecided": "#999999", "neither": "#999999"}


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
    rows = [dict(report.about), *(row for curves in report.curves for row in _rows(curves))]
    write_text_atomically(path, "".join(canonical_json(row) + "\n" for row in rows))
    return path


def _rows(curves: Curves) -> list[dict[str, Any]]:
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
        raise InputError(f"{path} is damaged", found=repr(error), hint="run `mwork lens` again") from error


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


def title_of(curves: Curves) -> str:
    """Return the name of a set of curves."""
    return curves.language + ("" if curves.masked is None else f", {curves.masked} deactivated")


def describe_crossings(curves: Curves) -> str:
    """Say between which layers English and the query's language change places."""
    found = crossings(curves.values("english"), curves.values("query"))
    places = ", ".join(f"{layer:.1f}" for layer in found)
    return f"English and {curves.language} cross at layer {places}" if found else "no crossing"


def lens_cells(curves: Curves) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a table: a row per layer, shares in percent with 95 % intervals."""
    names = [curves.language if name == "query" else name for name in curves.classes]
    rows = [[str(layer), *map(_percent, shares)] for layer, shares in enumerate(curves.shares)]
    return ["layer", *names], rows


def _percent(share: Estimate) -> str:
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f}"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def print_lens(report: LensReport, console: Console) -> None:
    """Print a table per language and mask, and where the curves cross."""
    for curves in report.curves:
        title = f"{title_of(curves)}: share of each language by layer, %, method {report.about['method']}"
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        columns, rows = lens_cells(curves)
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print()
        console.print(title, style="bold", highlight=False, markup=False)
        print_whole(table, console)
        note = f"{describe_crossings(curves)}; {curves.queries} queries"
        note += ", 95 % intervals over them" if curves.queries > 1 else ""
        console.print(note, style="dim", highlight=False, markup=False)


def plot_lens(report: LensReport) -> "Figure":
    """Draw a panel per language and mask: the share of each class by layer, crossings of the first two marked."""
    from matplotlib.figure import Figure

    languages = list(dict.fromkeys(curves.language for curves in report.curves))
    across = max(sum(curves.language == language for curves in report.curves) for language in languages)
    figure = Figure(figsize=(4.2 * across, 2.7 * len(languages) + 0.6), layout="constrained")
    panels = figure.subplots(len(languages), across, sharey=True, squeeze=False)
    for row, language in zip(panels, languages, strict=True):
        own = [curves for curves in report.curves if curves.language == language]
        for axes, curves in zip(row, own, strict=False):
            _draw(axes, curves)
        for axes in row[len(own) :]:
            axes.set_visible(False)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small", frameon=False)
    figure.suptitle(f"{report.about['model']}, method {report.about['method']}", fontsize="medium")
    return figure


def _draw(axes: Any, curves: Curves) -> None:
    for column, name in enumerate(curves.classes):
        estimates = [shares[column] for shares in curves.shares]
        label = "the query's language" if name == "query" else name
        axes.plot([100 * one.value for one in estimates], color=COLORS[name], marker=".", label=label)
        bounds = [(100 * one.low, 100 * one.high) for one in estimates if one.low is not None and one.high is not None]
        if len(bounds) == len(estimates):
            axes.fill_between(range(len(bounds)), *zip(*bounds, strict=True), color=COLORS[name], alpha=0.15)
    for layer in crossings(curves.values("english"), curves.values("query")):
        axes.axvline(layer, color="black", linestyle=":", linewidth=1)
        axes.annotate(f"{layer:.1f}", (layer, 100), fontsize="x-small", ha="left", va="top")
    axes.set_title(title_of(curves), fontsize="medium")
    axes.set_xlabel("layer")
    axes.set_ylabel("share, %")
    axes.set_ylim(0, 100)
    axes.locator_params(axis="x", integer=True)
