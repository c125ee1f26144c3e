"""`mwork scores`."""

from pathlib import Path

import click

from mwork_eval.cli.options import out_option


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
    from mwork_eval.detection.partial import PartialScores, merge_shards

    by_language: dict[str, list[tuple[Path, PartialScores]]] = {}
    for file in files:
        part = PartialScores.load(file)
        by_language.setdefault(part.run["about"]["language"], []).append((file, part))
    merged = {
        language: merge_shards([part for _, part in shards], [str(file) for file, _ in shards])
        for language, shards in by_language.items()
    }
    for language, part in merged.items():
        path = out / "scores" / f"{language}.safetensors"
        part.table().save(path)
        click.echo(f"{path}: {part.documents} documents of {len(by_language[language])} shards")
