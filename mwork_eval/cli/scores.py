"""`mwork scores`."""

from pathlib import Path

import click

from mwork_eval.cli.options import out_option
from mwork_eval.terminal.lines import answer


@click.group()
def scores() -> None:
    """Work with score files."""


@scores.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@out_option(None)
def merge(files: tuple[Path, ...], out: Path) -> None:
    """Join the shards of `mwork detect --shard` and write OUT/scores/LANGUAGE.safetensors.

    Shards of several languages may be given together. They must come from one model, method and corpus, and be
    complete. `mwork select OUT` then makes the neuron sets.
    """
    from mwork_eval.application.scores import merge_scores

    merge_scores(files, out, answer)
