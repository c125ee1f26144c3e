"""`mwork scores`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.options import out_option, parse_tags, trust_option
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


@scores.command(name="import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--languages", required=True, callback=parse_tags, help="Languages in the order of the files.")
@click.option(
    "--model", help="Default model, local folder, or hub id; its weights are not read.  [default: see --like]"
)
@click.option("--like", help="A neuron set of the model, in place of --model.  [default: see --model]")
@out_option(None)
@click.option("--revision", help="Branch, tag or commit of a hub model.  [default: its main branch]")
@trust_option
def import_scores(files: tuple[Path, ...], languages: list[str], out: Path, **options: Any) -> None:
    """Make OUT/scores/LANGUAGE.safetensors of other tools' activation counts.

    FILE is a language's counts as LAPE, CLaS-Bench or NJUNLP record them. Detectors that need no more, such as lape,
    then select from OUT.
    """
    from mwork_eval.application import import_scores as importing

    importing.import_scores(files, languages, out, answer, **options)
