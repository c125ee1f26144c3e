"""`mwork tune-layers`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.numbers import Count
from mwork_eval.cli.options import model_options, out_option, parse_numbers, pivot_option, sample_option
from mwork_eval.cli.prompting_options import prompting_options
from mwork_eval.terminal.lines import tell, tell_written


@click.command("tune-layers")
@model_options
@click.option(
    "--neurons",
    required=True,
    help="Folder with a set per language, a shipped one such as gemma3-270m, or hub:USER/NAME.",
)
@click.option("--task", default="xquad", help="A benchmark, a family, a pattern with {l}, or a .yaml file of one.")
@click.option("--language", default="zh", help="Whose neurons to deactivate.")
@click.option("--limit", type=Count(2), default=64, help="Documents; the tables leave them out.")
@sample_option
@click.option("--positions", default="under+gen", help="Where to deactivate, as in mwork-hf.")
@click.option("--understanding", callback=parse_numbers, help="First layers to try, as 1,2,4; up to 3/8 if not given.")
@click.option("--generation", callback=parse_numbers, help="Last layers to try, as 1,2,3; up to 3/16 if not given.")
@click.option(
    "--data",
    envvar="MWORK_DATA",
    help="Folder of the upstream files, embedded, or for bpb ja=FILE,...; MWORK_DATA or the hub if not given.",
)
@click.option("--batch-size", type=Count(1), default=8, help="Requests at a time where lm-eval's own way is taken.")
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@pivot_option
@click.option("--plot", is_flag=True, help="Also draw the grid (SVG and PNG); needs the extra plot.")
@prompting_options
@out_option(None)
def tune_layers(model: str, neurons: str, plot: bool, out: Path, **options: Any) -> None:
    """Choose how many layers understand and generate, by ∆ on documents that the tables then leave out.

    Writes OUT/neurons: the same sets, with the choice in them, for `mwork ablate --neurons OUT/neurons`. Finished
    scores are on disk; the same command goes on where the last one stopped.
    """
    from mwork_eval.application.tune_layers import tune_layers as tune
    from mwork_eval.reports.plots import require_matplotlib
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.progress import TerminalProgress
    from mwork_eval.terminal.tuning import print_tuning
    from mwork_eval.views.tuning import plot_tuning

    if plot:
        require_matplotlib("--plot")
    found = tune(model, neurons=neurons, out=out, progress=TerminalProgress(), **options)
    if found is None:
        return
    plots = plot_tuning(found.tuning, out) if plot else []
    print_tuning(found.tuning, make_console())
    for path in (*found.files, *plots):
        tell_written([path])
    target = out / "neurons"
    tell(f"the sets with the choice: {target}; use them with `mwork ablate --neurons {target}`")
