"""`mwork select`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import steps
from mwork_eval.cli.options import out_option, selection_options


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@selection_options
@out_option(None)
def select(folder: Path, out: Path, **selection: Any) -> None:
    """Select neuron sets anew from the scores in FOLDER/scores, without the model."""
    from mwork_eval.detection.score_table import load_score_tables
    from mwork_eval.detection.selection import select_specific
    from mwork_eval.neurons.files import save_neuron_set

    rule = steps.make_selection(**selection)
    for language, neurons in select_specific(load_score_tables(folder), rule).items():
        path = out / f"{language}.safetensors"
        save_neuron_set(neurons, path)
        click.echo(f"{path}: {len(neurons)} neurons ({100 * len(neurons) / neurons.shape.switches:.2f} %)")
