"""What a detection and its matrix will cost together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from mwork_eval.terminal.console import TextTable, print_table, say
from mwork_eval.terminal.estimates import print_cost, print_matrix_cost

if TYPE_CHECKING:
    from mwork_eval.application.run_estimate import RunEstimate


def print_run_cost(found: RunEstimate, console: Console) -> None:
    """Print the tables with their cells, then documents, tokens, time and memory as far as they are known."""
    if found.detection:
        of = found.detection
        print_cost(of.costs, of.summaries, of.speed, of.weights, of.memory, console)
    table = TextTable("table", "benchmark", "languages", "cells")
    for one in found.tables:
        table.add_row(one.preset, one.task, " ".join(one.languages), f"{one.cells:,}")
    print_table(table, console)
    if not found.matrix:
        say(console, f"{found.cells:,} cells, each a benchmark in one language under one mask", wrap=False)
    if found.documents is not None and not found.matrix:
        documents = TextTable("task", "documents")
        for name, count in found.documents.items():
            documents.add_row(name, f"{count:,}")
        print_table(documents, console)
    if found.matrix:
        cost = found.matrix
        print_matrix_cost(cost.cost, cost.speed, cost.weights, cost.batch, console)
    for reason in found.unknown:
        say(console, f"not told: {reason}", wrap=False)
