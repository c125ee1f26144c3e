"""What tuning the stage boundaries found: in words, as JSON, as a plot."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.files.json_values import dump
from mwork_eval.languages.pivot import Pivot
from mwork_eval.matrix.tuning import GridPoint, Tuning
from mwork_eval.reports.plots import FORMATS, new_figure, write_figures
from mwork_eval.reports.wording import difference, interval
from mwork_eval.results.pivot_keys import keyed_delta
from mwork_eval.statistics.resampling import LEVEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = "mwork-tuning"
VERSION = 1
_NO_NEURONS = "no neurons"


def verdict(tuning: Tuning) -> str:
    """Return what was chosen, and how far the grid supports the choice."""
    first, last = tuning.best
    best, unit = tuning.deltas[tuning.best].delta, tuning.scale.unit
    chosen = (
        f"Chosen: {first} understanding and {last} generation layers, ∆ {difference(best.value, unit)} "
        f"{interval(best, unit)} ({LEVEL:.0%} interval over documents)."
    )
    if tuning.others == 0:
        return f"{chosen} It is the only pair with a ∆: nothing was compared."
    if best.low is None:
        return f"{chosen} Too few to tell the pairs apart: {best.reason}; more documents (--limit) may tell."
    if tuning.within == tuning.others:
        return f"{chosen} All {tuning.others} other pairs lie within this interval: the grid is flat on these " + (
            "documents and the choice is arbitrary; more documents (--limit) may tell."
        )
    return f"{chosen} {tuning.within} of {tuning.others} other pairs lie within this interval" + (
        ": between those and the best the choice is arbitrary." if tuning.within else "."
    )


def tuning_as_json(tuning: Tuning, model: str, fingerprint: str, asked: Mapping[str, Any] | None = None) -> str:
    """Return all numbers of a tuning, unrounded.

    Args:
        tuning: What was found.
        model: Name of the model.
        fingerprint: Fingerprint of its weights.
        asked: How it was asked, as JSON values, if not as the task file says.
    """
    pivot = Pivot(tuning.pivot)
    report = {
        "format": FORMAT,
        "version": VERSION,
        "model": model,
        "fingerprint": fingerprint,
        "layers": tuning.stages.layers,
        **(asked or {}),
        "task": tuning.task,
        "language": tuning.language,
        **({} if pivot.is_english else {"pivot": pivot.tag}),
        "positions": list(tuning.positions),
        "documents": tuning.documents,
        "metric": tuning.metric,
        "unit": tuning.scale.unit,
        "neurons": tuning.count,
        "baseline": tuning.baseline,
        "grid": [
            {
                "understanding": point.stages.understanding,
                "generation": point.stages.generation,
                "masked_layers": point.layers,
                "available": point.available,
                "delta": _delta(tuning, point),
            }
            for point in tuning.grid
        ],
        "best": {"understanding": tuning.best[0], "generation": tuning.best[1]},
        "others": tuning.others,
        "others_within_interval": tuning.within,
    }
    return dump(report, indent=1) + "\n"


def _delta(tuning: Tuning, point: GridPoint) -> dict[str, Any] | None:
    found = tuning.deltas.get(point.boundaries)
    return None if found is None else keyed_delta(asdict(found), tuning.pivot)


def tuning_cells(tuning: Tuning) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of the grid of ∆: a row per number of understanding layers; the best is starred."""
    columns = sorted({point.stages.generation for point in tuning.grid})
    points = {point.boundaries: point for point in tuning.grid}
    rows = [
        [str(understanding), *(_cell(tuning, points[understanding, generation]) for generation in columns)]
        for understanding in sorted({point.stages.understanding for point in tuning.grid})
    ]
    return ["", *map(str, columns)], rows


def _cell(tuning: Tuning, point: GridPoint) -> str:
    if point.boundaries not in tuning.deltas:
        return _NO_NEURONS
    found, unit = tuning.deltas[point.boundaries].delta, tuning.scale.unit
    return f"{'* ' if point.boundaries == tuning.best else ''}{difference(found.value, unit)} {interval(found, unit)}"


def plot_tuning(tuning: Tuning, folder: Path) -> list[Path]:
    """Draw the grid to `tuning.svg` and `tuning.png`.

    Args:
        tuning: What was found.
        folder: Where to write.

    Returns:
        The two files.
    """
    return write_figures({"tuning": lambda: draw_tuning(tuning)}, folder, FORMATS)


def draw_tuning(tuning: Tuning) -> "Figure":
    """Draw the grid as a heat map of ∆, the best pair framed."""
    from matplotlib.patches import Rectangle

    rows = sorted({point.stages.understanding for point in tuning.grid})
    columns = sorted({point.stages.generation for point in tuning.grid})
    unit = tuning.scale.unit
    figure = new_figure(2.5 + 1.1 * len(columns), 2 + 0.6 * len(rows))
    axes = figure.add_subplot()
    values = {boundaries: found.delta.value for boundaries, found in tuning.deltas.items()}
    image = axes.imshow(
        [[values.get((row, column), float("nan")) for column in columns] for row in rows],
        aspect="auto",
        origin="lower",
        cmap="viridis",
    )
    middle = (min(values.values()) + max(values.values())) / 2
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            value = values.get((row, column))
            text = _NO_NEURONS if value is None else difference(value, unit)
            # viridis is dark below the middle; a cell without a value is white.
            color = "white" if value is not None and value <= middle else "black"
            axes.text(x, y, text, ha="center", va="center", color=color)
    x, y = columns.index(tuning.best[1]), rows.index(tuning.best[0])
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="red", linewidth=2))
    axes.set_xticks(range(len(columns)), [str(column) for column in columns])
    axes.set_yticks(range(len(rows)), [str(row) for row in rows])
    axes.set_xlabel("generation layers")
    axes.set_ylabel("understanding layers")
    axes.set_title(f"{tuning.language} neurons at {'+'.join(tuning.positions)}, {tuning.task}", fontsize="medium")
    figure.colorbar(image, label=f"∆ in {unit}")
    return figure
