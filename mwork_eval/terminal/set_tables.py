"""Where the neurons of sets sit and what sets share."""

from collections.abc import Mapping

from rich.console import Console

from mwork_eval.neurons.comparison import Overlap
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.set_counts import COMPONENTS, SetCounts
from mwork_eval.terminal.console import TextTable, print_whole, say
from mwork_eval.views.set_tables import Matrix


def print_profile(counts: SetCounts, stages: Stages, console: Console) -> None:
    """Print the number of neurons per layer, of attention and of the feed-forward, a column per set."""
    for component, name in COMPONENTS.items():
        columns = {language: counts.by_component(language, component) for language in counts.languages}
        table = _table("layer", *columns, title=f"{name}: neurons per layer")
        for layer in range(stages.layers):
            table.add_row(layer_label(stages, layer), *(str(column[layer]) for column in columns.values()))
        table.add_row("all", *(str(sum(column)) for column in columns.values()), style="bold")
        print_whole(table, console)
    for line in counts.lacking:
        say(console, line)


def layer_label(stages: Stages, layer: int) -> str:
    """Return the number of a layer, with its stage if it understands or generates."""
    return f"{layer} {stages.position(layer, 'up').replace('s-ffn', '')}".strip()


def print_overlaps(matrices: Mapping[str, Matrix], console: Console) -> None:
    """Print a table per part of the model: the share of each row's neurons that each column has too, and Jaccard."""
    for part, matrix in matrices.items():
        table = _table("", *matrix, title=f"{part}: % of the row in the column (Jaccard)")
        for first, row in matrix.items():
            table.add_row(first, *(_text(overlap) for overlap in row.values()))
        print_whole(table, console)


def _text(overlap: Overlap) -> str:
    if overlap.share is None or overlap.jaccard is None:
        return "–"
    return f"{100 * overlap.share:.0f} ({100 * overlap.jaccard:.0f})"


def _table(first: str, *columns: str, title: str) -> TextTable:
    table = TextTable(first, *columns, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
