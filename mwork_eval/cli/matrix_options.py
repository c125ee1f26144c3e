"""The options that say what a matrix consists of and what computes it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mwork_eval.application.engines import ENGINES
from mwork_eval.cli.numbers import Count, DocumentLimit
from mwork_eval.cli.options import parse_names, parse_numbers, parse_seeds, parse_shard, sample_option, together
from mwork_eval.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


def _counts(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    counts = parse_numbers(context, parameter, value) or ()
    if 0 in counts:
        raise InputError("cannot read --counts", found=value, expected="numbers from 1 such as 10,30,100")
    return counts


def _metrics(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:
    return value or None


def tasks_option(default: str) -> Callable[[F], F]:
    """Return the option `--tasks`, whose help says what is scored without it."""
    return click.option(
        "--tasks",
        callback=parse_names,
        help="Benchmarks such as xquad,bpb, families of lm-eval's such as belebele, a pattern with {l}, or a .yaml "
        f"file that says which task is which language's.  [default: {default}]",
    )


def counts_option(description: str) -> Callable[[F], F]:
    """Return the option `--counts`."""
    return click.option("--counts", callback=_counts, help=f"{description}, such as 10,30,100.  [default: none]")


table_options = together(
    click.option(
        "--limit", type=DocumentLimit(), help="Documents per task, or of some, as xlsum=500,bpb=64.  [default: all]"
    ),
    sample_option,
    click.option(
        "--seeds", callback=parse_seeds, help="Of the random controls.  [default: 1 to 20 for bpb, else to 3]"
    ),
    click.option(
        "--controls",
        type=click.Choice(["any", "foreign"]),
        default="any",
        help="Draw them from any neuron outside the set, or only from those foreign to the language.",
    ),
    click.option(
        "--understanding-layers",
        type=Count(0),
        help="First layers.  [default: the sets' number, else a quarter]",
    ),
    click.option(
        "--generation-layers", type=Count(0), help="Last layers.  [default: the sets' number, else an eighth]"
    ),
    click.option("--batch-size", type=Count(1), default=8, help="Requests at a time where lm-eval's own way is taken."),
    click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes."),
    click.option("--repair", is_flag=True, help="Compute damaged cells again, and write a damaged manifest anew."),
    click.option(
        "--metric",
        callback=_metrics,
        multiple=True,
        help="Judge tasks by this metric, such as acc_norm or TASK=METRIC; repeatable.  [default: each task's own]",
    ),
)
"""How the tables of a matrix are computed, whatever their rows and tasks are."""

matrix_options = together(
    click.option(
        "--preset",
        multiple=True,
        help="Table of the paper, or a .yaml file; repeatable.  [default: in `mwork run` a quick look]",
    ),
    tasks_option("the preset's"),
    table_options,
)

whole_options = together(
    click.option("--cross", is_flag=True, help="Every language's mask on every language's documents, too."),
    counts_option("Also only so many neurons, the strongest"),
    click.option(
        "--set-draws",
        type=Count(2),
        help="Also the sets of this many random halves of the documents, which `mwork detect --set-draws` writes.  "
        "[default: none]",
    ),
)
"""What belongs to a matrix beyond its tables."""

machine_options = together(
    click.option(
        "--shard",
        callback=parse_shard,
        metavar="I/N",
        help="Compute the I-th of N parts, as in a job array.  [default: all]",
    ),
    click.option(
        "--engine", type=click.Choice(list(ENGINES)), default="serial", help="What computes; ray and vllm are extras."
    ),
    click.option("--workers", type=Count(1), help="Of ray.  [default: one per GPU, or two without]"),
    click.option("--dry-run", is_flag=True, help="Print cells, requests, tokens, time and memory; load no weights."),
)
