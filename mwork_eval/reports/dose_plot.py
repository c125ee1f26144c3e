"""Dose curves as a file, drawn by matplotlib."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.dose_wording import curve_name
from mwork_eval.reports.intervention_wording import done
from mwork_eval.reports.plots import new_figure
from mwork_eval.results.dose import DosePoint
from mwork_eval.results.doses import Dose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is drawn, its words, colour and marker; the colours of the other figures, told apart by colour-blind readers.
_LINES = (
    ("own", "the mask's language", "#b5462f", "o"),
    ("english", "{pivot} under the same mask", "#5b7f9e", "s"),
    ("delta", "∆ = {pivot} - the mask's language", "#1b2127", "^"),
)
_PANELS = 4
"""Panels in a row."""


def plot_dose(dose: Dose, title: str) -> "Figure":
    """Draw a panel for the mean and for each language: changes by the number of neurons, with intervals.

    Random controls of the same size are bands from the lowest to the highest draw.

    Args:
        dose: The curves.
        title: Title of the figure.
    """
    curves = dose.curves
    columns = min(_PANELS, len(curves))
    lines = -(-len(curves) // columns)
    figure = new_figure(max(5.5, 3.1 * columns), 1.3 + 2.5 * lines)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (language, points) in zip(panels, curves.items(), strict=False):
        _plot_curve(axes, points, Pivot(dose.pivot).name)
        axes.set_title(curve_name(language), fontsize="medium", loc="left")
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    counts = sorted({point.count for point in dose.points})
    for axes in panels[max(0, len(curves) - columns) : len(curves)]:
        axes.set_xlabel(f"neurons {done(dose.intervention)}")
        axes.tick_params(labelbottom=True)
    panels[0].set_xscale("log")
    panels[0].set_xticks(counts, list(map(str, counts)))
    panels[0].minorticks_off()
    for axes in panels[::columns]:
        axes.set_ylabel(f"change in {dose.unit}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize="small", frameon=False)
    figure.suptitle(title, fontsize="medium")
    return figure


def _plot_curve(axes: "Axes", points: Sequence[DosePoint], pivot: str) -> None:
    axes.axhline(0, color="0.5", linewidth=0.8)
    counts = [point.count for point in points]
    for number, (name, label, colour, marker) in enumerate(_LINES):
        with_control = [(point.count, getattr(point.control, name)) for point in points if point.control is not None]
        if with_control:
            at, spreads = [count for count, _ in with_control], [spread for _, spread in with_control]
            axes.fill_between(
                at,
                [spread.low for spread in spreads],
                [spread.high for spread in spreads],
                color=colour,
                alpha=0.22,
                linewidth=1.5,
                label="random neurons, lowest to highest draw" if number == len(_LINES) - 1 else None,
            )
        estimates = [getattr(point, name) for point in points]
        # Beside each other, so that one interval does not hide another.
        shifted = [count * 1.04 ** (number - 1) for count in counts]
        for x, estimate in zip(shifted, estimates, strict=True):
            if estimate.low is not None and estimate.high is not None:
                axes.vlines(x, estimate.low, estimate.high, color=colour, linewidth=1.2)
        values = [estimate.value for estimate in estimates]
        axes.plot(
            shifted, values, marker=marker, markersize=4, linewidth=1.4, color=colour, label=label.format(pivot=pivot)
        )
