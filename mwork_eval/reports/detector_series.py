"""What a plot of detectors shows, whoever draws it."""

from mwork_eval.languages.pivot import Pivot
from mwork_eval.results.detector_tables import DetectorTable
from mwork_eval.statistics.spread import Spread

PANELS = ("delta", "own", "english")
"""Changes of a `DosePoint`, a panel each; `english` is the pivot."""


def panel_title(what: str, pivot: Pivot) -> str:
    """Return the title of a panel."""
    return {"delta": f"∆ = {pivot.name} - own", "own": "the mask's language (own)", "english": pivot.name}[what]


def control_band(table: DetectorTable, what: str) -> list[tuple[int, Spread]]:
    """Return, per number of neurons, the draws of all detectors' random controls: lowest, highest and mean.

    Args:
        table: The comparison.
        what: One of `PANELS`.
    """
    by_count: dict[int, list[Spread]] = {}
    for points in table.curves.values():
        for point in points:
            if point.control is not None:
                by_count.setdefault(point.count, []).append(getattr(point.control, what))
    return [
        (count, Spread(sum(one.mean for one in of) / len(of), min(one.low for one in of), max(one.high for one in of)))
        for count, of in sorted(by_count.items())
    ]
