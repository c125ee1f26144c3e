"""What a matrix will cost, on a terminal."""

from rich.console import Console
from rich.table import Table

from mwork_eval.matrix.estimate import MatrixCost

_GIB = 2**30


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
    console.print(f"{cost.cells} cells, {cost.finished} finished, {to_compute} to compute", highlight=False)
    table = Table(
        "task", "cells", "requests", "prompt tokens", "computed once", "generated, at most", title="tokens of one cell"
    )
    for name, (count, size) in cost.tasks.items():
        numbers = (count, size.requests, size.prompt_tokens, size.computed_tokens, size.generated_tokens)
        table.add_row(name, *(f"{number:,}" for number in numbers))
    console.print(table)
    requests = sum(count * size.requests for count, size in cost.tasks.values())
    tokens = sum(count * size.prompt_tokens for count, size in cost.tasks.values())
    console.print(
        f"{requests:,} requests with {tokens:,} prompt tokens; at most about {cost.operations / (speed / 2) / 60:,.1f} "
        f"minutes at {speed / 2e9:,.0f} billion operations per second, and {(weights + batch) / _GIB:.1f} "
        f"GiB: {weights / _GIB:.1f} of weights and {batch / _GIB:.1f} of a batch",
        highlight=False,
        soft_wrap=True,
    )
