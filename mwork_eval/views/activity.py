"""How many neurons of a set queries call up, by layer: as JSON, as a plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mwork_eval.analysis.activity import Activity
from mwork_eval.files.json_values import dump
from mwork_eval.neurons.stages import Stages
from mwork_eval.reports.plots import draw_stages, new_figure
from mwork_eval.results.set_counts import COMPONENTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = "mwork-activity"
VERSION = 1


def title_of(activity: Activity) -> str:
    """Return the name of a column or curve."""
    return f"{activity.neurons} on {activity.language}"


def activity_as_json(found: Sequence[Activity], stages: Stages) -> str:
    """Return the counts of every query."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "stages": {"understanding": stages.understanding, "generation": stages.generation},
        "activity": [
            {
                "neurons": activity.neurons,
                "size": activity.size,
                "language": activity.language,
                "queries": [
                    {component: counts.tolist() for component, counts in zip(COMPONENTS, query.T, strict=True)}
                    for query in activity.counts
                ],
            }
            for activity in found
        ],
    }
    return dump(content, indent=1) + "\n"


def plot_activity(found: Sequence[Activity], stages: Stages) -> "Figure":
    """Draw the mean number of active neurons by layer, with the range over queries, a panel per component."""
    figure = new_figure(9.0, 3.4)
    for axes, (component, name) in zip(figure.subplots(1, len(COMPONENTS)), COMPONENTS.items(), strict=True):
        for activity in found:
            counts = activity.per_layer(component)
            (line,) = axes.plot(counts.mean(0), marker=".", label=title_of(activity))
            axes.fill_between(range(stages.layers), counts.min(0), counts.max(0), color=line.get_color(), alpha=0.12)
        draw_stages(axes, stages)
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("layer")
        axes.set_ylabel("active neurons per query")
        axes.locator_params(axis="x", integer=True)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize="small", frameon=False
    )
    return figure
