"""The part of the page about the language of the layers, if the results folder holds a lens."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from mwork_eval.analysis.lens_file import METHODS, lens_file, read_lens
from mwork_eval.analysis.shares import Curves
from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.asking import told_in_words
from mwork_eval.reports.html.svg import Axis, drawing, element, words
from mwork_eval.reports.lens_wording import class_name, describe_crossings, lens_cells, title_of

_WIDTH, _HEIGHT = 340, 190


def lens_parts(folder: Path) -> list[dict[str, Any]]:
    """Return what `lens.html` shows of each method that was stored in a folder; nothing if none was.

    Raises:
        InputError: If a file is damaged.
    """
    stored = [read_lens(path) for method in METHODS if (path := lens_file(folder, method)).is_file()]
    return [
        {
            "method": report.about["method"],
            "asked": told_in_words(report.about),
            "pivot": Pivot(report.curves[0].pivot).name,
            "classes": [class_name(report.curves[0], name) for name in report.curves[0].classes],
            "panels": {title_of(curves): _panel(curves) for curves in report.curves},
            "tables": {title_of(curves): _table(curves) for curves in report.curves},
        }
        for report in stored
    ]


def _table(curves: Curves) -> dict[str, Any]:
    columns, rows = lens_cells(curves)
    return {"columns": columns, "rows": rows, "note": describe_crossings(curves)}


def _panel(curves: Curves) -> Markup:
    layers = len(curves.shares)
    across = Axis(0.0, max(1.0, layers - 1.0), 30.0, _WIDTH - 8.0)
    up = Axis(0.0, 100.0, _HEIGHT - 24.0, 8.0)
    parts = []
    for value in (0.0, 50.0, 100.0):
        parts.append(element("line", x1=across(0), x2=across(across.high), y1=up(value), y2=up(value), class_="grid"))
        parts.append(words(24, up(value) + 4, f"{value:g}", anchor="end"))
    parts += [
        words(across(layer), _HEIGHT - 8, str(layer), anchor="middle")
        for layer in range(0, layers, max(1, layers // 6))
    ]
    parts += [
        element("line", x1=across(layer), x2=across(layer), y1=up(0), y2=up(100), class_="border")
        for layer in curves.crossings()
    ]
    for number, name in enumerate(curves.classes):
        points = " ".join(f"{across(n):.1f},{up(100 * value):.1f}" for n, value in enumerate(curves.values(name)))
        parts.append(
            element("polyline", element("title", class_name(curves, name)), points=points, class_=f"line line{number}")
        )
    return drawing(f"{title_of(curves)}: share of each language by layer in percent", _WIDTH, _HEIGHT, parts)
