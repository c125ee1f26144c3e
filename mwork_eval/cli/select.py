"""`mwork select`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import steps
from mwork_eval.cli.options import out_option, selection_options
from mwork_eval.errors import InputError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@selection_options
@out_option(None)
def select(folder: Path, out: Path, **selection: Any) -> None:
    """Select neuron sets anew from the scores in FOLDER/scores, without the model."""
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import select_specific
    from mwork_eval.neurons.files import save_neuron_set

    rule = steps.make_selection(**selection)
    files = sorted((folder / "scores").glob("*.safetensors"))
    if not files:
        raise InputError(
            f"{folder} has no scores", found=f"no {folder}/scores/*.safetensors", hint="run `mwork detect`"
        )
    for language, neurons in select_specific([ScoreTable.load(file) for file in files], rule).items():
        path = out / f"{language}.safetensors"
        save_neuron_set(neurons, path)
        click.echo(f"{path}: {len(neurons)} neurons ({100 * len(neurons) / neurons.shape.switches:.2f} %)")
