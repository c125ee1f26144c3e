"""The figures of the reports as files, drawn by matplotlib; the page draws the same numbers by itself."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.errors import InputError
from mwork_eval.files.writing import write_atomically
from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.language_intervals import LanguageEffect
from mwork_eval.results.set_counts import COMPONENTS, SetCounts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("svg", "png")
_OWN, _PIVOT = "#b5462f", "#5b7f9e"


def require_matplotlib(option: str) -> None:
    """Fail before any work if matplotlib is missing.

    Args:
        option: What asks for it.

    Raises:
        InputError: Names the pip line.
    """
    if find_spec("matplotlib") is None:
        raise InputError(
            f"{option} needs a package that is not installed",
            found="no matplotlib",
            expected="the extra [plot]",
            hint='pip install "mwork-eval[plot]"',
        )


def check_plot_file(path: Path, option: str) -> None:
    """Fail before any work if a plot cannot be written to a file of this name, or matplotlib is missing.

    Raises:
        InputError: Says what is wrong.
    """
    if path.suffix.removeprefix(".") not in FORMATS:
        raise InputError(f"unknown kind of file for {option}", found=path, expected="a name that ends in .svg or .png")
    require_matplotlib(option)


def save_figure(figure: "Figure", path: Path) -> Path:
    """Write a figure as its file's name says; equal figures give equal SVG, without dates and random ids."""
    from matplotlib import rc_context

    kind = path.suffix.removeprefix(".")
    options: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {"dpi": 150}
    with rc_context({"svg.hashsalt": "mwork", "svg.fonttype": "none"}):
        write_atomically(path, lambda file: figure.savefig(file, format=kind, **options))
    return path


def plot_changes(changes: Mapping[str, Sequence[LanguageEffect]], unit: str, title: str, pivot: Pivot) -> "Figure":
    """Draw a panel per setting: each language's own change and that of the pivot under its mask, with 95 % intervals.

    Args:
        changes: Per setting, the change of each language.
        unit: Unit of the changes.
        title: Title of the figure.
        pivot: The pivot.
    """
    most = max(map(len, changes.values()))
    figure = new_figure(3.2 * len(changes), 1.4 + 0.55 * most)
    panels = figure.subplots(1, len(changes), sharex=True, squeeze=False)[0]
    for axes, (setting, of_setting) in zip(panels, changes.items(), strict=True):
        for number, change in enumerate(of_setting):
            for shift, estimate, color in ((-0.19, change.own, _OWN), (0.19, change.english, _PIVOT)):
                axes.barh(number + shift, estimate.value, 0.36, color=color)
                if estimate.low is not None and estimate.high is not None:
                    axes.hlines(number + shift, estimate.low, estimate.high, color="black", linewidth=1)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(of_setting)), [change.language for change in of_setting])
        axes.invert_yaxis()
        axes.set_title(setting, fontsize="medium")
        axes.set_xlabel(f"change in {unit}")
    for label, color in (("the language under its own mask", _OWN), (f"{pivot.name} under the same mask", _PIVOT)):
        panels[0].barh([0], [0], color=color, label=label)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small", frameon=False)
    figure.suptitle(title, fontsize="medium")
    return figure


def plot_heat(counts: SetCounts) -> "Figure":
    """Draw, per language, the share of each layer's and structure's neurons that are in the set, in percent."""
    languages, layers = counts.languages, len(counts.sizes)
    figure = new_figure(2.2 + 0.22 * layers, 0.9 + (0.6 + 0.24 * len(counts.structures)) * len(languages))
    panels = figure.subplots(len(languages), 1, sharex=True, squeeze=False)[:, 0]
    shares = {language: counts.shares(language) for language in languages}
    most = max((share or 0.0 for of_set in shares.values() for row in of_set for share in row), default=0.0)
    for axes, language in zip(panels, languages, strict=True):
        axes.set_facecolor("0.88")  # seen where a layer has no such structure
        rows = [[float("nan") if share is None else share for share in row] for row in shares[language]]
        image = axes.imshow(rows, aspect="auto", cmap="Blues", vmin=0, vmax=most or 1)
        axes.set_yticks(range(len(counts.structures)), counts.structures)
        axes.set_title(language, fontsize="medium", loc="left")
    panels[-1].set_xlabel("layer")
    figure.colorbar(image, ax=list(panels), label="neurons in the set, %")
    return figure


def plot_layers(counts: SetCounts, stages: Stages) -> "Figure":
    """Draw the number of neurons per layer, attention and feed-forward apart (Figure 3 of the paper)."""
    figure = new_figure(9.0, 3.2)
    for axes, (component, name) in zip(figure.subplots(1, len(COMPONENTS)), COMPONENTS.items(), strict=True):
        for language in counts.languages:
            layers, numbers = counts.layers_with(component), counts.by_component(language, component)
            axes.plot(layers, [numbers[layer] for layer in layers], marker=".", label=language)
        draw_stages(axes, stages)
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("layer")
        axes.set_ylabel("neurons")
        axes.locator_params(integer=True)
    axes.legend(fontsize="small", frameon=False)
    return figure


def plot_overlap(matrices: Mapping[str, Mapping[str, Mapping[str, float | None]]], what: str) -> "Figure":
    """Draw matrices of every two languages, in percent (Appendix C of the paper).

    Args:
        matrices: By title, `[first][second]`, 0 to 1; None where there is nothing to share.
        what: What the numbers are.
    """
    size = max(map(len, matrices.values()))
    figure = new_figure((0.9 + 0.45 * size) * len(matrices) + 0.6, 1.3 + 0.45 * size)
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
        names = list(matrix)
        rows = [[100 * value if value is not None else float("nan") for value in matrix[a].values()] for a in names]
        image = axes.imshow(rows, cmap="Blues", vmin=0, vmax=100)
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                text = "–" if value != value else f"{value:.0f}"
                axes.text(x, y, text, ha="center", va="center", color="white" if value > 60 else "black")
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set_title(title, fontsize="medium")
    figure.colorbar(image, ax=list(panels), label=f"{what}, %")
    return figure


def write_figures(figures: Mapping[str, Callable[[], "Figure"]], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw figures and write each in some formats.

    Args:
        figures: By name of the file without its ending, what draws it.
        folder: Where to write.
        formats: Some of `FORMATS`.
    """
    written = []
    for name, draw in figures.items():
        figure = draw()
        written += [save_figure(figure, folder / f"{name}.{kind}") for kind in formats]
    return written


def draw_stages(axes: "Axes", stages: Stages) -> None:
    """Draw where understanding ends and generation begins, on an axis of layers."""
    for border in (stages.understanding, stages.layers - stages.generation):
        axes.axvline(border - 0.5, color="gray", linestyle=":", linewidth=1)


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of a size in inches, without pyplot and its global state; a notebook shows it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    # IPython draws figures by itself only where pyplot was imported.
    figure._repr_png_ = lambda: _as_png(figure)  # type: ignore[attr-defined]
    return figure


def _as_png(figure: "Figure") -> bytes:
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    return drawn.getvalue()
