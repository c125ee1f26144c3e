"""Dose curves on the page."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.dose_wording import curve_name
from mwork_eval.reports.html.svg import Axis, drawing, element, words
from mwork_eval.reports.wording import estimate
from mwork_eval.results.dose import DosePoint
from mwork_eval.results.doses import Dose
from mwork_eval.statistics.resampling import Estimate

_WIDTH, _HEIGHT = 340, 210
_LEFT, _BOTTOM = 46, 22
_LINES = ("own", "english", "delta")
"""What is drawn; `english` is the pivot."""


def dose_curves(dose: Dose) -> dict[str, Markup]:
    """Draw, for the mean and each language, changes by the number of neurons, with intervals and controls' bands.

    All have the same scales; that of the neurons is logarithmic.
    """
    values = [value for point in dose.points for value in _values(point)]
    y = Axis.over(values, _HEIGHT - _BOTTOM, 8)
    counts = sorted({point.count for point in dose.points})
    low, high = math.log(counts[0]), math.log(counts[-1])
    x = Axis(low, high if high > low else low + 1, _LEFT + 14, _WIDTH - 20)
    return {
        curve_name(language): _panel(curve_name(language), points, counts, x, y, dose)
        for language, points in dose.curves.items()
    }


def _values(point: DosePoint) -> list[float]:
    """Return all numbers that are drawn of a point."""
    found: list[float | None] = []
    for name in _LINES:
        change = getattr(point, name)
        found += [change.value, change.low, change.high]
        if point.control is not None:
            spread = getattr(point.control, name)
            found += [spread.low, spread.high]
    return [value for value in found if value is not None]


def _panel(name: str, points: Sequence[DosePoint], counts: Sequence[int], x: Axis, y: Axis, dose: Dose) -> Markup:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for value in y.ticks:
        class_ = "zero" if value == 0 else "grid"
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - 6, y1=y(value), y2=y(value), class_=class_))
        parts.append(words(_LEFT - 4, y(value) + 4, f"{value:.3g}", anchor="end"))
    parts += [words(x(math.log(count)), bottom + 16, str(count), anchor="middle") for count in counts]
    for what in _LINES:
        parts += _band(points, what, x, y)
    said = {"own": "own", "english": Pivot(dose.pivot).name.lower(), "delta": "delta"}
    for number, what in enumerate(_LINES):
        places = [(x(math.log(point.count)) + 4 * (number - 1), getattr(point, what), point.count) for point in points]
        line = " ".join(f"{at:.1f},{y(change.value):.1f}" for at, change, _ in places)
        parts.append(element("polyline", points=line, class_=f"line dose-{what}"))
        parts += [
            _point(at, y, change, f"{said[what]}, {count} neurons", what, dose.unit) for at, change, count in places
        ]
    return drawing(f"{name}: change in {dose.unit} by number of neurons", _WIDTH, _HEIGHT, parts)


def _band(points: Sequence[DosePoint], what: str, x: Axis, y: Axis) -> list[Markup]:
    """Draw the lowest to the highest draw of the random controls; one number of neurons has a short line."""
    spreads = [(x(math.log(p.count)), getattr(p.control, what)) for p in points if p.control is not None]
    if not spreads:
        return []
    if len(spreads) == 1:
        ((at, spread),) = spreads
        spreads = [(at - 6, spread), (at + 6, spread)]
    around = [(at, spread.high) for at, spread in spreads] + [(at, spread.low) for at, spread in reversed(spreads)]
    corners = " ".join(f"{at:.1f},{y(value):.1f}" for at, value in around)
    return [element("polygon", points=corners, class_=f"band dose-{what}")]


def _point(at: float, y: Axis, change: Estimate, what: str, class_: str, unit: str) -> Markup:
    parts = [element("title", f"{what}: {estimate(change, unit)} {unit}")]
    if change.low is not None and change.high is not None:
        path = f"M{at:.1f} {y(change.low):.1f}V{y(change.high):.1f}"
        parts.append(element("path", d=path, class_=f"bar dose-{class_}"))
    parts.append(element("circle", cx=at, cy=y(change.value), r=3, class_=f"dot dose-{class_}"))
    return element("g", *parts)
