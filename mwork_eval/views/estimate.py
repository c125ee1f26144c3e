"""What a detection will cost, on a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mwork_eval.detection.estimate import DetectionCost


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
        console.print(summary, highlight=False, soft_wrap=True)
    table = Table("language", "documents", "tokens", "forward passes", "time")
    for cost in costs:
        time = _duration(cost.seconds(speed / 2))
        table.add_row(cost.language, f"{cost.documents:,}", f"{cost.tokens:,}", f"{cost.batches:,}", time)
    console.print(table)
    total = _duration(sum(cost.seconds(speed / 2) for cost in costs))
    console.print(
        f"about {total} at {speed / 2e9:,.0f} billion operations per second, and {(weights + memory) / 2**30:.1f} GiB: "
        f"{weights / 2**30:.1f} of weights and up to {memory / 2**30:.1f} of activations and scores",
        highlight=False,
        soft_wrap=True,
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
