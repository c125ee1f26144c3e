"""What a lens found, as a plot."""

from typing import TYPE_CHECKING, Any

from mwork_eval.analysis.lens_file import LensReport
from mwork_eval.analysis.shares import Curves
from mwork_eval.reports.lens_wording import class_name, title_of
from mwork_eval.reports.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = {
    **{"english": "#5b7f9e", "pivot": "#5b7f9e", "query": "#b5462f", "other": "#6b8e4e"},
    **{"undecided": "#999999", "neither": "#999999"},
}


def plot_lens(report: LensReport) -> "Figure":
    """Draw a panel per language and mask: the share of each class by layer, crossings of the first two marked."""
    languages = list(dict.fromkeys(curves.language for curves in report.curves))
    across = max(sum(curves.language == language for curves in report.curves) for language in languages)
    figure = new_figure(4.2 * across, 2.7 * len(languages) + 0.6)
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
        label = "the query's language" if name == "query" else class_name(curves, name)
        axes.plot([100 * one.value for one in estimates], color=COLORS[name], marker=".", label=label)
        bounds = [(100 * one.low, 100 * one.high) for one in estimates if one.low is not None and one.high is not None]
        if len(bounds) == len(estimates):
            axes.fill_between(range(len(bounds)), *zip(*bounds, strict=True), color=COLORS[name], alpha=0.15)
    for layer in curves.crossings():
        axes.axvline(layer, color="black", linestyle=":", linewidth=1)
        axes.annotate(f"{layer:.1f}", (layer, 100), fontsize="x-small", ha="left", va="top")
    axes.set_title(title_of(curves), fontsize="medium")
    axes.set_xlabel("layer")
    axes.set_ylabel("share, %")
    axes.set_ylim(0, 100)
    axes.locator_params(axis="x", integer=True)
