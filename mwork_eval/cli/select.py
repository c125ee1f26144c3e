"""`mwork select`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.options import out_option, pivot_option, selection_options
from mwork_eval.terminal.lines import answer


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@selection_options
@pivot_option
@out_option(None)
def select(folder: Path, out: Path, activations: bool, **selection: Any) -> None:
    """Select neuron sets anew from the scores in FOLDER/scores, without the model.

    FOLDER may be a repository on the hub that has scores: hub:USER/NAME[@REVISION].
    """
    from mwork_eval.application.detection import Detection, save_sets
    from mwork_eval.detection.selection import Selection

    rule = Selection.of(**selection)
    save_sets(Detection.load(folder), rule, out, answer, activations=activations)
