"""Options that several commands share, and how their texts become values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mwork_eval.cli.numbers import LARGEST_SEED, Count, Real, Seed, parse_real, parse_whole
from mwork_eval.detection.detectors.detector import DETECTORS, PLND
from mwork_eval.detection.recording.registry import parse_records
from mwork_eval.detection.scoring.methods import METHODS
from mwork_eval.errors import InputError
from mwork_eval.files.key_values import parse_key_values
from mwork_eval.languages.table import check_language, parse_languages
from mwork_eval.sizes import parse_size

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_MODEL = "gemma3-270m"


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return several options as one decorator."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def parse_tags(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    """Read languages such as en,zh; each once.

    Raises:
        InputError: If one is unknown.
    """
    return None if value is None else parse_languages(value)


def _pivot(_: click.Context, __: click.Parameter, value: str) -> str:
    return check_language(value)


def parse_names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Split names such as xquad,bpb; each once."""
    return tuple(dict.fromkeys(part.strip() for part in (value or "").split(",") if part.strip()))


def parse_numbers(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Read numbers such as 1,2,4; ascending, each once.

    Raises:
        InputError: If they cannot be read.
    """
    if value is None:
        return None
    numbers = [parse_whole(part) for part in value.split(",")]
    found = [number for number in numbers if number is not None]
    if len(found) < len(numbers):
        raise InputError(
            f"cannot read --{(parameter.name or '').replace('_', '-')}", found=value, expected="numbers such as 1,2,4"
        )
    return tuple(sorted(set(found)))


def parse_seeds(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Read seeds such as 1,2,3.

    Raises:
        InputError: If they cannot be read.
    """
    if value is None:
        return None
    seeds = [parse_whole(part, LARGEST_SEED) for part in value.split(",")]
    found = tuple(dict.fromkeys(seed for seed in seeds if seed is not None))
    if None in seeds:
        raise InputError("cannot read --seeds", found=value, expected="numbers from 0 such as 1,2,3")
    return found


def _thresholds(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, float] | None:
    if value is None:
        return None
    thresholds = {}
    for part in value.split(","):
        name, equals, text = part.partition("=")
        number = parse_real(text) if equals else None
        if number is None:
            raise InputError("cannot read --threshold", found=value, expected="q=0.1,k=0.1,v=2,up=5")
        thresholds[name.strip()] = number
    return thresholds


def _records(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    return parse_records(value)


def _memory(_: click.Context, __: click.Parameter, value: str) -> int:
    return parse_size(value, "--max-memory")


def _arguments(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, Any]:
    return {} if value is None else parse_key_values("--detector-args", value)


def parse_shard(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int]:
    """Read I/N, such as 2/8, as a number from 0 and their count.

    Raises:
        InputError: If it cannot be read.
    """
    index, slash, count = (value or "1/1").partition("/")
    part, parts = parse_whole(index), parse_whole(count)
    if not slash or part is None or parts is None or not 1 <= part <= parts:
        raise InputError("cannot read --shard", found=value, expected="I/N with I from 1 to N, such as 2/8")
    return part - 1, parts


def _count(_: click.Context, __: click.Parameter, value: str) -> int | None:
    if value == "all":
        return None
    count = parse_whole(value)
    if count is None or count < 1:
        raise InputError("cannot read --max-docs", found=value, expected="a number from 1, or all")
    return count


sample_option = click.option(
    "--sample-seed",
    type=Seed(0),
    help="Take --limit documents at random, by this seed.  [default: evenly spread over the task]",
)

pivot_option = click.option(
    "--pivot", default="en", callback=_pivot, help="Language that the others are compared with."
)

model_options = together(
    click.option("--model", default=DEFAULT_MODEL, help="Default model, local folder, or hub id."),
    click.option("--device", help="Such as cuda:0 or cpu.  [default: the first accelerator, else cpu]"),
    click.option(
        "--dtype",
        help="float32, bfloat16, float16 or auto.  [default: auto, but float32 on a CPU without native bfloat16]",
    ),
    click.option("--device-map", help="Spread the model over devices, such as auto.  [default: one device]"),
    click.option("--revision", help="Branch, tag or commit of a hub model.  [default: its main branch]"),
)

trust_option = click.option(
    "--trust-remote-code", is_flag=True, help="Run the code that the model brings, if it brings some."
)

rule_options = together(
    click.option(
        "--fraction",
        type=Real(),
        help="In this top fraction of layer and structure in every document.  [default: 0.01]",
    ),
    click.option(
        "--top-k",
        type=Count(),
        help="Among the top k of the layer and structure in every document.  [default: by --fraction]",
    ),
    click.option(
        "--threshold",
        callback=_thresholds,
        help="Per structure the least score, as q=0.1,k=0.1,v=2,up=5.  [default: by --fraction]",
    ),
    click.option(
        "--structures",
        help="Structures to select from; o on request.  [default: those the detector is defined for, q,k,v,up of plnd]",
    ),
)

selection_options = together(
    rule_options,
    click.option(
        "--count",
        type=Count(1),
        help="So many neurons of each language, the first ones.  [default: by --fraction]",
    ),
    click.option("--detector", type=click.Choice(list(DETECTORS)), default=PLND, help="What selects from the scores."),
    click.option(
        "--detector-args",
        "arguments",
        callback=_arguments,
        metavar="NAME=VALUE,...",
        help="What the detector is told, as bar=0.9,attention=true.  [default: its own defaults]",
    ),
    click.option(
        "--activations",
        is_flag=True,
        help="Store in the sets each language's mean activations, to intervene with them.",
    ),
    click.option("--specific", default="pivot", help="Take away neurons of: pivot, english, common, or none."),
)

corpus_options = together(
    click.option(
        "--corpus",
        "corpora",
        multiple=True,
        metavar="LANGUAGE=SOURCE",
        help="Text file (a document a line), .jsonl[#FIELD], hub:NAME[:CONFIG[:SPLIT[:FIELD]]], a named hub:oscar, "
        "hub:culturax, hub:fineweb-2, hub:c4, hub:wikipedia or hub:xlsum, or embedded.  [default: embedded texts of "
        "--languages]",
    ),
    click.option("--max-docs", callback=_count, default="24", help="Documents per language, or all."),
    click.option("--max-tokens", type=Count(2), default=128, help="Tokens kept of a document."),
    click.option("--min-tokens", type=Count(1), default=16, help="Shorter documents are skipped and counted."),
    click.option("--seed", "document_seed", type=Seed(), help="Shuffle the corpora.  [default: in file order]"),
    click.option("--check-language", is_flag=True, help="Drop documents in another language; needs the extra langid."),
)

scoring_options = together(
    click.option("--method", type=click.Choice(list(METHODS)), default="exact", help="Of scoring."),
    click.option(
        "--record",
        "record",
        callback=_records,
        help="Record beside scores: activations, responses, attributions, or all.  [default: scores alone]",
    ),
    click.option("--max-memory", callback=_memory, default="1GiB", help="For scoring, beside the weights."),
)

set_draws_option = click.option(
    "--set-draws",
    type=Count(2),
    help="Also select from this many random halves of the documents, to see how much ∆ depends on them.  "
    "[default: none]",
)

long_options = together(
    click.option("--resume", is_flag=True, help="Go on from the checkpoint of an interrupted run."),
    click.option(
        "--checkpoint-docs",
        type=Count(1),
        help="Documents between checkpoints.  [default: as many as a minute takes]",
    ),
    click.option(
        "--shard",
        callback=parse_shard,
        metavar="I/N",
        help="Score the I-th of N parts; see `mwork scores merge`.  [default: all]",
    ),
    click.option("--stability", is_flag=True, help="Report how many documents are enough."),
    set_draws_option,
    click.option("--dry-run", is_flag=True, help="Print documents, tokens, time and memory; load no weights."),
)


def languages_option(default: str | None, description: str) -> Callable[[F], F]:
    """Return the option `--languages`."""
    return click.option("--languages", default=default, callback=parse_tags, help=description)


def out_option(default: str | None) -> Callable[[F], F]:
    """Return the option `--out`, required if there is no default."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=default,
        required=default is None,
        help="Folder to write to.",
    )


stage_options = together(
    click.option(
        "--understanding-layers",
        type=Count(0),
        help="First layers.  [default: the set's number, else a quarter]",
    ),
    click.option(
        "--generation-layers", type=Count(0), help="Last layers.  [default: the set's number, else an eighth]"
    ),
)
"""Where the stages end and begin."""
