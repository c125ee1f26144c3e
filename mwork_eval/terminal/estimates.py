"""What a detection or a matrix will cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from mwork_eval.terminal.console import TextTable, print_table, say

if TYPE_CHECKING:
    from mwork_eval.detection.estimate import DetectionCost
    from mwork_eval.matrix.estimate import MatrixCost

_GIB = 2**30


def print_cost(
    costs: Sequence[DetectionCost], summaries: Sequence[str], speed: float, weights: int, memory: int, console: Console
) -> None:
    """Print documents, tokens, time and memory of a detection.

    Args:
        costs: Per corpus.
        summaries: Per corpus, what was kept and left out.
        speed: Operations per second of a matrix product here; a model reaches about half of it.
        weights: Bytes of the model's weights.
        memory: Bytes that scoring may take beside them.
        console: Where to print.
    """
    for summary in summaries:
        say(console, summary, wrap=False)
    table = TextTable("language", "documents", "tokens", "forward passes", "time")
    for cost in costs:
        time = _duration(cost.seconds(speed / 2))
        table.add_row(cost.language, f"{cost.documents:,}", f"{cost.tokens:,}", f"{cost.batches:,}", time)
    print_table(table, console)
    total = _duration(sum(cost.seconds(speed / 2) for cost in costs))
    say(
        console,
        f"about {total} at {speed / 2e9:,.0f} billion operations per second, and {(weights + memory) / 2**30:.1f} GiB: "
        f"{weights / 2**30:.1f} of weights and up to {memory / 2**30:.1f} of activations and scores",
        wrap=False,
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_matrix_cost(cost: MatrixCost, speed: float, weights: int, batch: int, console: Console) -> None:
    """Print cells, requests, tokens, time and memory of a matrix.

    Args:
        cost: What is to be computed.
        speed: Operations per second of a matrix product here; a model reaches about half of it.
        weights: Bytes of the model's weights.
        batch: Bytes a batch may hold beside them.
        console: Where to print.
    """
    to_compute = sum(count for count, _ in cost.tasks.values())
    say(console, f"{cost.cells} cells, {cost.finished} finished, {to_compute} to compute")
    table = TextTable(
        *("task", "cells", "requests", "prompt tokens", "computed once", "generated, at most"),
        title="tokens of one cell",
        title_justify="center",
    )
    for name, (count, size) in cost.tasks.items():
        numbers = (count, size.requests, size.prompt_tokens, size.computed_tokens, size.generated_tokens)
        table.add_row(name, *(f"{number:,}" for number in numbers))
    print_table(table, console)
    requests = sum(count * size.requests for count, size in cost.tasks.values())
    tokens = sum(count * size.prompt_tokens for count, size in cost.tasks.values())
    say(
        console,
        f"{requests:,} requests with {tokens:,} prompt tokens; at most about {cost.operations / (speed / 2) / 60:,.1f} "
        f"minutes at {speed / 2e9:,.0f} billion operations per second, and {(weights + batch) / _GIB:.1f} "
        f"GiB: {weights / _GIB:.1f} of weights and {batch / _GIB:.1f} of a batch",
        wrap=False,
    )
