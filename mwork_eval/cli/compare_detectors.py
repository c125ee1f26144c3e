"""`mwork compare-detectors`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.matrix_options import counts_option, machine_options, table_options, tasks_option
from mwork_eval.cli.numbers import Count
from mwork_eval.cli.options import languages_option, model_options, out_option, parse_names, pivot_option, together
from mwork_eval.cli.prompting_options import prompting_options
from mwork_eval.detection.detectors.detector import DETECTORS
from mwork_eval.errors import InputError
from mwork_eval.files.key_values import parse_key_values


def _arguments(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = {}
    for value in values:
        name, colon, text = value.partition(":")
        if not colon or not text or name in told:
            expected = "DETECTOR:NAME=VALUE,..., once a detector, such as lape:bar=0.9"
            raise InputError("cannot read --detector-args", found=value, expected=expected)
        told[name] = parse_key_values("--detector-args", text)
    return told


_set_options = together(
    click.option(
        "--detectors",
        callback=parse_names,
        help=f"Some of {','.join(DETECTORS)}; differences are from the first.  [default: all that the scores allow]",
    ),
    click.option(
        "--detector-args",
        "arguments",
        multiple=True,
        callback=_arguments,
        metavar="DETECTOR:NAME=VALUE,...",
        help="What a detector is told, as lape:bar=0.9; several times for several.  [default: their own defaults]",
    ),
    click.option("--count", type=Count(1), default=100, help="Neurons of each language, as many of every detector."),
    counts_option("Also sets of so many neurons, each of the detector's own choice"),
    click.option(
        "--structures",
        callback=parse_names,
        help="Structures to select from, as up or q,k,v,up.  [default: those all the detectors are defined for]",
    ),
    click.option(
        "--positions", default="all", help="Where neurons are switched off: all, or some of under+s-attn+s-ffn+gen."
    ),
)


@click.command("compare-detectors")
@click.argument("scores", type=click.Path(path_type=Path))
@model_options
@_set_options
@languages_option(None, "Languages; the pivot must be among them.  [default: all that were scored]")
@tasks_option("bpb")
@click.option(
    "--data",
    envvar="MWORK_DATA",
    help="Folder of the upstream files, embedded, or for bpb ja=FILE,...; MWORK_DATA or the hub if not given.",
)
@table_options
@machine_options
@pivot_option
@prompting_options
@out_option(None)
def compare_detectors(
    scores: Path,
    detectors: tuple[str, ...],
    structures: tuple[str, ...],
    dry_run: bool,
    device_map: str | None,
    shard: tuple[int, int],
    **given: Any,
) -> None:
    """Compare detectors on equal terms: the same model, corpora, numbers of neurons, tasks and documents.

    SCORES is a folder that `mwork detect --record all` wrote. Each detector selects its own neurons of every language;
    a matrix with a table for each tells ∆ beside random controls, one table compares them all. As in `mwork ablate`,
    the same command goes on where the last one stopped, and several processes can share the work.
    """
    given |= {"detectors": detectors or None, "structures": structures or None}
    if dry_run:
        from mwork_eval.application.compare_detectors import estimate
        from mwork_eval.terminal.console import make_console
        from mwork_eval.terminal.estimates import print_matrix_cost

        del given["batch_size"]
        found = estimate(scores=scores, **given)
        print_matrix_cost(found.cost, found.speed, found.weights, found.batch, make_console())
        return
    from mwork_eval.application.compare_detectors import compare_detectors as compute
    from mwork_eval.application.report import write_reports
    from mwork_eval.terminal.progress import TerminalProgress
    from mwork_eval.terminal.report import show_report

    results = compute(scores=scores, device_map=device_map, shard=shard, progress=TerminalProgress(), **given)
    if results.has_tables:
        show_report(write_reports(results))
