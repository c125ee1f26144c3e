"""How many documents are enough."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from mwork_eval.terminal.console import TextTable, print_table, say


def print_stability(rows: Mapping[str, Sequence[Mapping[str, Any]]], console: Console) -> None:
    """Print, per language and number of documents, the overlap with the final set and between two random halves.

    Args:
        rows: By language, what `Overlap.to_json` gave; languages without a set of their own have none.
        console: Where to print.
    """
    table = TextTable("language", "documents", "neurons", "overlap with final set", "overlap of random halves")
    for language, own in rows.items():
        for row in own:
            halves = row["of_halves"]
            table.add_row(
                language,
                str(row["documents"]),
                str(row["neurons"]),
                f"{row['with_final']:.2f}",
                "" if halves is None else f"{halves:.2f}",
            )
        table.add_section()
    print_table(table, console)
    say(
        console,
        "Overlap: Jaccard, the neurons in both sets over those in either. The halves are of the documents so far; "
        "their overlap tells how far two corpora of half the size would agree.",
        wrap=False,
    )
