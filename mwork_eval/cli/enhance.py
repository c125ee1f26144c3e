"""`mwork enhance`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mwork_eval.cli import enhance_steps
from mwork_eval.cli.options import model_options, out_option, parse_numbers, parse_seeds
from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.enhancement.record import Record


@click.command()
@model_options
@click.option(
    "--neurons", multiple=True, required=True, help="A set (gemma3-270m/zh), or a folder with one per language."
)
@click.option("--corpus", "texts", multiple=True, required=True, metavar="LANGUAGE=SOURCE", help="As `mwork detect`.")
@click.option("--documents", callback=parse_numbers, default="100,400", help="Numbers of documents to train on.")
@click.option(
    "--skip", type=click.IntRange(0), default=160, help="First documents of a corpus that are left for judging."
)
@click.option("--seeds", callback=parse_seeds, default="0", help="Seeds of the order of the documents.")
@click.option("--random-control", "controls", type=click.IntRange(0), default=3, help="Random controls to train, too.")
@click.option("--together", is_flag=True, help="Train all languages at once, with all their neurons.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=3e-4, show_default=True)
@click.option("--warmup-steps", type=click.IntRange(0), default=10, show_default=True)
@click.option("--weight-decay", type=click.FloatRange(0), default=0.0, show_default=True)
@click.option(
    "--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Documents per batch and process."
)
@click.option("--accumulate", type=click.IntRange(1), default=1, show_default=True, help="Batches per step.")
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--max-tokens", type=click.IntRange(16), default=128, show_default=True, help="Tokens kept of a document."
)
@click.option(
    "--patience", type=click.IntRange(0), default=0, help="Evaluations without a better loss before it stops."
)
@click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True)
@click.option("--gradient-checkpointing", is_flag=True, help="Less memory for more time.")
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@click.option(
    "--merge", "merged", type=click.Path(path_type=Path, file_okay=False), help="Write a whole checkpoint, too."
)
@out_option("mwork-enhanced")
def enhance(
    model: str,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    neurons: tuple[str, ...],
    texts: tuple[str, ...],
    merged: Path | None,
    out: Path,
    **options: Any,
) -> None:
    """Fine-tune the neurons of a set, and nothing else, on a few hundred documents.

    Every finished delta is a small file below OUT/deltas, for `mwork-hf` with delta=FILE; the same command goes on
    where the last one stopped. Random controls are trained alike with as many random neurons at the same positions.
    """
    if merged is not None and merged.exists() and any(merged.iterdir()):
        raise InputError(f"{merged} is not empty", expected="a new folder for the checkpoint")
    record = enhance_steps.train_deltas(
        neurons,
        texts,
        out,
        model=model,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        **options,
    )
    if merged is not None:
        _merge(record, out, merged, model, dtype=dtype, revision=revision, force=options["force"])


def _merge(
    record: "Record", out: Path, merged: Path, model: str, *, dtype: str | None, revision: str | None, force: bool
) -> None:
    """Write the checkpoint of the last specific delta."""
    from mwork_eval.enhancement.delta import load_delta
    from mwork_eval.enhancement.merge import merge
    from mwork_eval.enhancement.record import SPECIFIC
    from mwork_eval.models.loading import load_model

    last = [delta for delta in record.deltas if delta.kind == SPECIFIC][-1]
    base = load_model(model, device="cpu", dtype=dtype, revision=revision)
    changed = merge(base, load_delta(out / last.file), merged, force=force)
    click.echo(
        f"{merged}: {last.file} merged; {changed} of {last.parameters} trained entries differ from the base", err=True
    )
