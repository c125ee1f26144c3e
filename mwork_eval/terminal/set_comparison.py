"""What neuron sets of two folders share."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mwork_eval.neurons.comparison import Comparisons, Overlap, SetComparison


def print_comparisons(found: Comparisons, console: Console) -> None:
    """Print a table per pair of sets; layers in which neither has neurons are left out."""
    console.print(f"first: {found.first}\nsecond: {found.second}", highlight=False, markup=False)
    for name, comparison in found.sets.items():
        table = Table("", "only first", "only second", "both", "Jaccard", title=escape(name), title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for label, overlap in _rows(comparison):
            counts = map(str, (overlap.only_first, overlap.only_second, overlap.both))
            table.add_row(label, *counts, "–" if overlap.jaccard is None else f"{overlap.jaccard:.3f}")
        console.print(table)
    for where, names in (("first", found.only_first), ("second", found.only_second)):
        if names:
            console.print(f"only in the {where} folder: {' '.join(names)}", highlight=False, markup=False)


def _rows(comparison: SetComparison) -> Iterator[tuple[str, Overlap]]:
    yield "all", comparison.total
    yield from comparison.by_position.items()
    for layer, overlap in enumerate(comparison.by_layer):
        if overlap.jaccard is not None:
            yield f"layer {layer}", overlap
