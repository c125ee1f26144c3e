"""What neuron sets of two folders share."""

from collections.abc import Iterator

from rich.console import Console

from mwork_eval.neurons.comparison import Comparisons, Overlap, SetComparison
from mwork_eval.terminal.console import TextTable, print_table, say


def print_comparisons(found: Comparisons, console: Console) -> None:
    """Print a table per pair of sets; layers in which neither has neurons are left out."""
    say(console, f"first: {found.first}")
    say(console, f"second: {found.second}")
    for name, comparison in found.sets.items():
        table = TextTable("", "only first", "only second", "both", "Jaccard", title=name)
        for column in table.columns[1:]:
            column.justify = "right"
        for label, overlap in _rows(comparison):
            counts = map(str, (overlap.only_first, overlap.only_second, overlap.both))
            table.add_row(label, *counts, "–" if overlap.jaccard is None else f"{overlap.jaccard:.3f}")
        print_table(table, console)
    for where, names in (("first", found.only_first), ("second", found.only_second)):
        if names:
            say(console, f"only in the {where} folder: {' '.join(names)}")


def _rows(comparison: SetComparison) -> Iterator[tuple[str, Overlap]]:
    yield "all", comparison.total
    yield from comparison.by_position.items()
    for layer, overlap in enumerate(comparison.by_layer):
        if overlap.jaccard is not None:
            yield f"layer {layer}", overlap
