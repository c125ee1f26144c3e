"""How many neurons of a set queries call up, by layer."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from mwork_eval.analysis.activity import Activity
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.set_counts import COMPONENTS
from mwork_eval.terminal.console import TextTable, print_whole, say
from mwork_eval.terminal.set_tables import layer_label
from mwork_eval.views.activity import title_of


def print_activity(found: Sequence[Activity], stages: Stages, console: Console, lacking: Sequence[str] = ()) -> None:
    """Print, per component, the mean number of active neurons by layer, with the least and the most of any query.

    Args:
        found: The counts.
        stages: The stages of the model.
        console: Where to.
        lacking: Which layers lack structures, a line for each kind of them.
    """
    for component, name in COMPONENTS.items():
        table = TextTable("layer", title=f"{name}: active neurons of the set per query")
        for activity in found:
            table.add_column(title_of(activity), justify="right", no_wrap=True)
        for layer in range(stages.layers):
            cells = (_range(activity.per_layer(component)[:, layer]) for activity in found)
            table.add_row(layer_label(stages, layer), *cells)
        cells = (_range(activity.per_layer(component).sum(1)) for activity in found)
        table.add_row("all", *cells, style="bold")
        print_whole(table, console)
    for line in lacking:
        say(console, line)
    for activity in found:
        shares = 100 * activity.shares
        say(
            console,
            f"{title_of(activity)}: {shares.mean():.0f} % of {activity.size} neurons active "
            f"({shares.min():.0f} to {shares.max():.0f} % in {len(shares)} queries)",
        )


def _range(counts: Any) -> str:
    return f"{counts.mean():.1f} ({counts.min()}-{counts.max()})" if counts.max() else "0"
