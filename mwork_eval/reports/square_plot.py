"""The heat map of a square as a file, drawn by matplotlib."""

from typing import TYPE_CHECKING

from mwork_eval.reports.intervention_wording import done
from mwork_eval.reports.plots import new_figure
from mwork_eval.reports.square_wording import SPECIFICITY
from mwork_eval.reports.wording import difference, estimate, spread_range
from mwork_eval.results.squares import Square
from mwork_eval.statistics.resampling import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.ticker import MaxNLocator

_COLOURS = "RdBu"  # red for damage, blue for gain; told apart by colour-blind readers, too
_DARK = 0.7  # of the largest change: beyond it, numbers are white
_PALER = 1.25  # the largest change has not the very darkest colour, on which the frame would not be seen
_CELL = 0.92  # inches


def plot_square(square: Square, title: str) -> "Figure":
    """Draw the changes as a heat map with values, the masks' own languages framed, random controls below.

    Beside it stands the specificity of each mask with its interval.

    Args:
        square: The square.
        title: Title of the figure.
    """
    masks, columns = len(square.masks), len(square.languages)
    lines = masks + (square.spread is not None)
    figure = new_figure(1.9 + _CELL * (columns + 2.6), 1.75 + 0.62 * _CELL * (lines + 1))
    grid = figure.add_gridspec(2, 2, width_ratios=[columns, 2.3], height_ratios=[masks, max(0.9, lines - masks)])
    heat, beside = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    values = [[square.effects.changes[mask][at].value for at in square.languages] for mask in square.masks]
    most = max(abs(value) for row in values for value in row) or 1.0
    image = _draw_cells(heat, values, most)
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            _write(heat, x, y, difference(value, square.unit), value, most)
    for y, mask in enumerate(square.masks):
        _frame(heat, square.languages.index(mask), y)
    heat.xaxis.tick_top()
    heat.xaxis.set_label_position("top")
    heat.set_xlabel("language of the documents")
    heat.set_ylabel(f"language whose neurons\nare {done(square.intervention)}")
    heat.set_xticks(range(columns), square.languages)
    heat.set_yticks(range(masks), square.masks)
    _clear(heat)
    _plot_specificity(beside, square)
    below = figure.add_subplot(grid[1, 0])
    _plot_random(below, square, most)
    _add_scale(figure, figure.add_subplot(grid[1, 1]), image, square.unit)
    figure.suptitle(f"{title}\nchange in {square.unit}, masked - unmasked", fontsize="medium")
    return figure


def _draw_cells(axes: "Axes", values: list[list[float]], most: float) -> "AxesImage":
    return axes.imshow(values, aspect="auto", cmap=_COLOURS, vmin=-_PALER * most, vmax=_PALER * most)


def _add_scale(figure: "Figure", place: "Axes", image: "AxesImage", unit: str) -> None:
    """Put the scale of colours into the corner."""
    place.set_axis_off()
    bar = figure.colorbar(image, cax=place.inset_axes((0.05, 0.62, 0.9, 0.2)), orientation="horizontal")
    bar.set_label(f"{unit}; negative: damage", fontsize="x-small")
    bar.ax.tick_params(labelsize="x-small")
    bar.locator = _few_ticks()
    bar.update_ticks()


def _few_ticks() -> "MaxNLocator":
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3)


def _plot_specificity(axes: "Axes", square: Square) -> None:
    """Draw the specificity of each mask with its interval, the mean as a line, and the range of random controls."""
    unit = square.unit
    if square.spread is not None:
        axes.axvspan(square.spread.specificity.low, square.spread.specificity.high, color="0.85", linewidth=0)
    axes.axvline(0, color="black", linewidth=0.8)
    mean = square.effects.mean_specificity
    axes.axvline(mean.value, color="#7a2a1d", linewidth=1, linestyle=":")
    for y, mask in enumerate(square.masks):
        _point(axes, y, square.effects.specificity[mask])
    axes.set_ylim(len(square.masks) - 0.5, -0.5)
    axes.set_yticks([])
    axes.margins(x=0.12)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.xaxis.set_major_locator(_few_ticks())
    axes.tick_params(labelsize="small")
    axes.set_xlabel(f"{SPECIFICITY}\nmean {estimate(mean, unit)}", fontsize="small")
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _point(axes: "Axes", y: float, value: Estimate) -> None:
    if value.low is not None and value.high is not None:
        axes.hlines(y, value.low, value.high, color="#7a2a1d", linewidth=1.6)
    axes.plot(value.value, y, "o", color="#7a2a1d", markersize=5)


def _plot_random(axes: "Axes", square: Square, most: float) -> None:
    """Draw a row of what random controls do, on the scale of the heat map: mean, lowest and highest."""
    axes.set_yticks([])
    axes.set_xticks([])
    _clear(axes)
    if square.spread is None:
        axes.set_visible(False)
        return
    spreads = list(square.spread.changes.values())
    _draw_cells(axes, [[spread.mean for spread in spreads]], most)
    for x, spread in enumerate(spreads):
        _write(axes, x, -0.14, difference(spread.mean, square.unit), spread.mean, most)
        colour = "white" if abs(spread.mean) > _DARK * most else "0.3"
        text = spread_range(spread, square.unit)
        axes.text(x, 0.26, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes.set_yticks([0], ["random"])


def _write(axes: "Axes", x: float, y: float, text: str, value: float, most: float) -> None:
    colour = "white" if abs(value) > _DARK * most else "black"
    axes.text(x, y, text, ha="center", va="center", color=colour, fontsize="medium")


def _frame(axes: "Axes", x: int, y: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, fill=False, edgecolor="black", linewidth=1.8))


def _clear(axes: "Axes") -> None:
    """Leave the ticks' texts alone, and white lines between cells."""
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for x in range(round(axes.get_xlim()[1] + 1.5)):
        axes.axvline(x - 0.5, color="white", linewidth=2)
    for y in range(round(axes.get_ylim()[0] + 1.5)):
        axes.axhline(y - 0.5, color="white", linewidth=2)
