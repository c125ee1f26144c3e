"""`mwork ablate`."""

from typing import Any

import click

from mwork_eval.cli.matrix_options import machine_options, matrix_options, whole_options
from mwork_eval.cli.options import (
    languages_option,
    model_options,
    out_option,
    pivot_option,
)
from mwork_eval.cli.prompting_options import prompting_options


@click.command()
@model_options
@click.option(
    "--neurons",
    required=True,
    help="Folder with a set per language, a shipped one such as gemma3-270m, or hub:USER/NAME.",
)
@languages_option("en,zh,es,de", "Languages; the pivot must be among them.")
@click.option(
    "--data",
    envvar="MWORK_DATA",
    help="Folder of the upstream files, embedded, or for bpb ja=FILE,...; MWORK_DATA or the hub if not given.",
)
@matrix_options
@whole_options
@machine_options
@pivot_option
@prompting_options
@out_option(None)
def ablate(
    dry_run: bool, preset: tuple[str, ...], device_map: str | None, shard: tuple[int, int], **given: Any
) -> None:
    """Run a matrix of settings x languages x tasks and report ∆Eng, ∆n-Eng and ∆ (--pivot zh: ∆zh and ∆n-zh).

    Every finished cell is on disk before the next starts; the same command goes on where the last one stopped, and
    reuses whatever is valid. Several processes, also on several machines, can work on one folder: each computes
    other cells. Under `accelerate launch` or torchrun the processes share the documents of each cell.
    """
    if dry_run:
        from mwork_eval.application.matrix_estimate import estimate
        from mwork_eval.terminal.console import make_console
        from mwork_eval.terminal.estimates import print_matrix_cost

        del given["batch_size"]
        found = estimate(preset=preset, **given)
        print_matrix_cost(found.cost, found.speed, found.weights, found.batch, make_console())
        return
    from mwork_eval.application.ablate import ablate as compute
    from mwork_eval.application.report import write_reports
    from mwork_eval.terminal.progress import TerminalProgress
    from mwork_eval.terminal.report import show_report

    results = compute(preset=preset, device_map=device_map, shard=shard, progress=TerminalProgress(), **given)
    if results.has_tables:
        show_report(write_reports(results))
