"""Detectors by number of neurons on the page."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.detector_series import PANELS, control_band, panel_title
from mwork_eval.reports.html.svg import Axis, drawing, element, words
from mwork_eval.reports.wording import estimate
from mwork_eval.results.detector_tables import DetectorTable
from mwork_eval.results.dose import DosePoint

_WIDTH, _HEIGHT = 370, 260
_LEFT, _BOTTOM = 46, 22
_SHAPES = (
    "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
    "M-3.5 -3.5H3.5V3.5H-3.5Z",
    "M0 -4.5L4.5 3.5H-4.5Z",
    "M0 -5L5 0L0 5L-5 0Z",
    "M0 4.5L4.5 -3.5H-4.5Z",
    "M-1.5 -5H1.5V-1.5H5V1.5H1.5V5H-1.5V1.5H-5V-1.5H-1.5Z",
    "M-4.5 -3L-3 -4.5L0 -1.5L3 -4.5L4.5 -3L1.5 0L4.5 3L3 4.5L0 1.5L-3 4.5L-4.5 3L-1.5 0Z",
    "M0 -5L1.5 -1.5H5L2 1L3.5 5L0 2.5L-3.5 5L-2 1L-5 -1.5H-1.5Z",
)
"""Circle, square, triangles, diamond, plus, cross and star."""


def detector_curves(table: DetectorTable) -> dict[str, Markup]:
    """Draw ∆, the own and the pivot's change by the number of neurons, a line per detector, with intervals.

    Dashes and the shapes of points tell lines apart without colour; the band is of all detectors' random controls. All
    panels have the same scales; that of the neurons is logarithmic.
    """
    if not table.curves:
        return {}
    y = Axis.over(_values(table), _HEIGHT - _BOTTOM, 8)
    counts = sorted({point.count for points in table.curves.values() for point in points})
    low, high = math.log(counts[0]), math.log(counts[-1])
    x = Axis(low, high if high > low else low + 1, _LEFT + 24, _WIDTH - 30)
    return {panel_title(what, Pivot(table.pivot)): _panel(what, table, counts, x, y) for what in PANELS}


def detector_key(table: DetectorTable) -> Markup:
    """Draw the key of the lines, one below the other."""
    parts = []
    for number, name in enumerate(table.curves):
        top = 12 + 20 * number
        parts.append(element("polyline", points=f"2,{top} 42,{top}", class_=f"line line{number % 10}"))
        parts.append(_mark(22, top, number))
        parts.append(words(52, top + 4, name))
    height = 12 + 20 * len(table.curves)
    parts.append(element("rect", x=2, y=height - 6, width=40, height=12, class_="band random"))
    parts.append(words(52, height + 4, "random controls, lowest to highest draw"))
    return drawing("key of the lines", 290, height + 14, parts)


def _values(table: DetectorTable) -> list[float]:
    found: list[float | None] = []
    for what in PANELS:
        for points in table.curves.values():
            for point in points:
                change = getattr(point, what)
                found += [change.value, change.low, change.high]
        found += [end for _, spread in control_band(table, what) for end in (spread.low, spread.high)]
    return [value for value in found if value is not None]


def _panel(what: str, table: DetectorTable, counts: Sequence[int], x: Axis, y: Axis) -> Markup:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for value in y.ticks:
        parts.append(
            element("line", x1=_LEFT, x2=_WIDTH - 6, y1=y(value), y2=y(value), class_="zero" if value == 0 else "grid")
        )
        parts.append(words(_LEFT - 4, y(value) + 4, f"{value:.3g}", anchor="end"))
    parts += [words(x(math.log(count)), bottom + 16, str(count), anchor="middle") for count in counts]
    if band := control_band(table, what):
        places = [(x(math.log(count)), spread) for count, spread in band]
        if len(places) == 1:
            ((at, spread),) = places
            places = [(at - 20, spread), (at + 20, spread)]
        around = [(at, spread.high) for at, spread in places] + [(at, spread.low) for at, spread in reversed(places)]
        corners = " ".join(f"{at:.1f},{y(value):.1f}" for at, value in around)
        parts.append(element("polygon", points=corners, class_="band random"))
    for number, (name, points) in enumerate(table.curves.items()):
        shift = 5 * (number - (len(table.curves) - 1) / 2)
        parts += _line(name, number, points, what, shift, x, y, table.unit)
    label = f"{panel_title(what, Pivot(table.pivot))}: change in {table.unit} by number of neurons, a line per detector"
    return drawing(label, _WIDTH, _HEIGHT, parts)


def _line(
    name: str, number: int, points: Sequence[DosePoint], what: str, shift: float, x: Axis, y: Axis, unit: str
) -> list[Markup]:
    places = [(x(math.log(point.count)) + shift, getattr(point, what), point.count) for point in points]
    line = " ".join(f"{at:.1f},{y(change.value):.1f}" for at, change, _ in places)
    parts = [element("polyline", points=line, class_=f"line line{number % 10}")]
    for at, change, count in places:
        inner = []
        if change.low is not None and change.high is not None:
            path = f"M{at:.1f} {y(change.low):.1f}V{y(change.high):.1f}"
            inner.append(element("path", d=path, class_=f"line{number % 10}"))
        title = f"{name}, {count} neurons: {estimate(change, unit)} {unit}"
        parts.append(element("g", element("title", title), *inner, _mark(at, y(change.value), number)))
    return parts


def _mark(at: float, height: float, number: int) -> Markup:
    return element(
        "path",
        d=_SHAPES[number % len(_SHAPES)],
        transform=f"translate({at:.1f} {height:.1f})",
        class_=f"mark line{number % 10}",
    )
