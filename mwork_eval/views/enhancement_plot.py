"""What fine-tuned neurons changed, as a plot (Figure 4 of the paper)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mwork_eval.enhancement.tables import ChangeColumn, ChangeTable
from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_enhancement(tables: Sequence[ChangeTable]) -> "Figure":
    """Draw, per trained language and benchmark, the change by number of documents (Figure 4 of the paper).

    Languages' own neurons with their 95 % intervals; random neurons with the range of their seeds.
    """
    groups, tasks = (list(dict.fromkeys(getattr(table, name) for table in tables)) for name in ("trained", "task"))
    figure = new_figure(4.2 * len(tasks), 3.0 * len(groups) + 0.5)
    panels = figure.subplots(len(groups), len(tasks), squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for table in tables:
        axes = panels[groups.index(table.trained)][tasks.index(table.task)]
        axes.set_visible(True)
        _draw(axes, table)
    lines = [line for axes in panels.flat for line in axes.get_lines() if not line.get_label().startswith("_")]
    by_label = {line.get_label(): line for line in lines}
    handles, columns = list(by_label.values()), min(2, len(tasks))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize="small", frameon=False)
    return figure


def _draw(axes: Any, table: ChangeTable) -> None:
    own = table.columns[0]
    lines = [
        (own, "specific", "#b5462f", "-", "the language, its neurons trained"),
        (own, "random", "#777777", ":", "the language, random neurons trained"),
        (table.of_pivot, "specific", "#5b7f9e", "-", f"{Pivot(table.pivot).name}, the language's neurons trained"),
        (table.others, "specific", "#6b8e4e", "-", "other languages, the language's neurons trained"),
    ]
    for column, kind, color, style, label in lines:
        if column is not None:
            _draw_line(axes, column, kind, color, style, label)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks([0, *table.sizes])
    axes.set_xlabel(f"documents of {' and '.join(table.trained)}")
    axes.set_ylabel(f"gain in {table.unit}")
    axes.set_title(f"{table.task}, {' and '.join(table.trained)}", fontsize="medium")


def _draw_line(axes: Any, column: ChangeColumn, kind: str, color: str, style: str, label: str) -> None:
    gains = [(effect.documents, gain) for effect in column.effects if (gain := getattr(effect, kind)) is not None]
    if not gains:
        return
    sizes = [0, *(size for size, _ in gains)]
    axes.plot(
        sizes, [0, *(gain.mean.value for _, gain in gains)], color=color, linestyle=style, marker=".", label=label
    )
    ends = [
        (min(gain.by_seed), max(gain.by_seed)) if kind == "random" else (gain.mean.low, gain.mean.high)
        for _, gain in gains
    ]
    if all(low is not None for low, _ in ends):
        axes.fill_between(
            sizes, [0, *(low for low, _ in ends)], [0, *(high for _, high in ends)], color=color, alpha=0.12
        )


def plot_languages(tables: Sequence[ChangeTable]) -> "Figure":
    """Draw the gain by number of documents with a line per trained language, theirs and the pivot's beside each other.

    A row of panels per unit and choice of benchmarks. Random neurons are dotted, in the language's colour; intervals
    are in the tables.

    Args:
        tables: What `mean_tables` returns, of any number of languages.
    """
    from matplotlib import colormaps

    groups = list(dict.fromkeys(table.trained for table in tables))
    scales = list(dict.fromkeys((table.task, table.unit, table.higher_is_better) for table in tables))
    figure = new_figure(8.4, 3.0 * len(scales) + 0.5)
    panels = figure.subplots(len(scales), 2, squeeze=False, sharex=True)
    for table in tables:
        row = panels[scales.index((table.task, table.unit, table.higher_is_better))]
        color, name = colormaps["tab10"](groups.index(table.trained) % 10), "+".join(table.trained)
        compared = [column for column in table.columns if column.languages == (table.pivot,)]
        names = ("the language", Pivot(table.pivot).name)
        for axes, column, what in zip(row, [table.columns[0], *compared], names, strict=False):
            for kind, style, label in (("specific", "-", name), ("random", ":", f"{name}, random neurons")):
                gains = [(e.documents, gain.mean.value) for e in column.effects if (gain := getattr(e, kind))]
                sizes, values = [0, *(size for size, _ in gains)], [0.0, *(value for _, value in gains)]
                if gains:
                    axes.plot(sizes, values, color=color, linestyle=style, marker=".", label=label)
            axes.set_title(f"{what}, {table.task}", fontsize="medium", wrap=True)
            axes.set_ylabel(f"gain in {table.unit}")
    for axes in panels.flat:
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xlabel("documents trained on")
    by_label = {line.get_label(): line for line in panels[0][0].get_lines() if not line.get_label().startswith("_")}
    figure.legend(handles=list(by_label.values()), loc="outside lower center", ncols=4, fontsize="small", frameon=False)
    return figure
