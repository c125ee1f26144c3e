"""`mwork export`."""

from typing import Any

import click

from mwork_eval.cli.numbers import Count, Seed
from mwork_eval.cli.options import DEFAULT_MODEL, stage_options, trust_option


@click.command()
@click.option("--model", default=DEFAULT_MODEL, help="Default model, local folder, or hub id.")
@click.option(
    "--neurons", help="Set to switch off, such as gemma3-270m/zh, zh.safetensors or hub:USER/NAME/zh.  [default: none]"
)
@click.option("--out", required=True, help="Folder to write; new or empty.")
@click.option("--positions", default="all", help="Where to switch off, as in mwork-hf.")
@click.option("--count", type=Count(), help="Only this many, the highest scores.  [default: all of the set]")
@click.option("--random-control", type=Seed(0), help="Seed; as many random neurons instead.  [default: the set itself]")
@click.option("--controls", type=click.Choice(["any", "foreign"]), default="any", help="What these are drawn from.")
@click.option("--intervention", default="zero", help="zero, or scale:FACTOR to weaken or strengthen instead.")
@stage_options
@click.option(
    "--delta",
    help="File of `mwork enhance` with trained values to put in first, or hub:USER/NAME/NAME.  [default: none]",
)
@click.option("--force", is_flag=True, help="Accept a set or delta of other weights of the same sizes.")
@click.option("--revision", help="Branch, tag or commit of a hub model.  [default: its main branch]")
@trust_option
def export(model: str, **options: Any) -> None:
    """Write a checkpoint with neurons switched off.

    Every engine loads it: transformers, vLLM, SGLang, llama.cpp's converter. The model is not loaded: its files are
    copied, and rows of the neurons become zero in the copies, which is proven in the end; all other bytes stay. OUT
    appears when it is whole. Its model card says what was done, so that nobody takes it for the original.
    """
    from mwork_eval.application.export import export as export_checkpoint
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.export import print_export
    from mwork_eval.terminal.progress import TerminalProgress

    print_export(export_checkpoint(model, **options, progress=TerminalProgress()), make_console())
