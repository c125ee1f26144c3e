"""Detectors by number of neurons as a file, drawn by matplotlib."""

from typing import TYPE_CHECKING

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.detector_series import PANELS, control_band, panel_title
from mwork_eval.reports.plots import new_figure
from mwork_eval.results.detector_tables import DetectorTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#1f5f99", "#b5462f", "#2f7d3b", "#7a4fa3", "#8a6100", "#0b7a75", "#a83279", "#4a5560")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", ":", "-.")


def plot_detectors(table: DetectorTable, title: str) -> "Figure":
    """Draw ∆, the own and the pivot's change by the number of neurons, a line per detector, with intervals.

    The band is from the lowest to the highest draw of all detectors' random controls. Markers and dashes tell the
    lines apart without colour.

    Args:
        table: The comparison; it has curves.
        title: Title of the figure.
    """
    figure = new_figure(11, 4.6)
    panels = figure.subplots(1, len(PANELS), sharex=True, sharey=True)
    for axes, what in zip(panels, PANELS, strict=True):
        _plot_panel(axes, table, what)
        axes.set_title(panel_title(what, Pivot(table.pivot)), fontsize="medium", loc="left")
        axes.set_xlabel("neurons deactivated")
    counts = sorted({point.count for points in table.curves.values() for point in points})
    panels[0].set_xscale("log")
    panels[0].set_xticks(counts, list(map(str, counts)))
    panels[0].minorticks_off()
    panels[0].set_ylabel(f"change in {table.unit}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small", frameon=False)
    figure.suptitle(title, fontsize="medium")
    return figure


def _plot_panel(axes: "Axes", table: DetectorTable, what: str) -> None:
    axes.axhline(0, color="0.5", linewidth=0.8)
    if band := control_band(table, what):
        axes.fill_between(
            [count for count, _ in band],
            [spread.low for _, spread in band],
            [spread.high for _, spread in band],
            color="0.5",
            alpha=0.25,
            linewidth=1.5,
            label="random controls, lowest to highest draw",
        )
    for number, (name, points) in enumerate(table.curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        # Beside each other, so that one interval does not hide another.
        shift = 1.035 ** (number - (len(table.curves) - 1) / 2)
        places = [(point.count * shift, getattr(point, what)) for point in points]
        for x, estimate in places:
            if estimate.low is not None and estimate.high is not None:
                axes.vlines(x, estimate.low, estimate.high, color=colour, linewidth=1.1)
        axes.plot(
            [x for x, _ in places],
            [estimate.value for _, estimate in places],
            marker=_MARKERS[number % len(_MARKERS)],
            linestyle=_DASHES[number % len(_DASHES)],
            markersize=5,
            linewidth=1.3,
            color=colour,
            label=name,
        )
