"""`mwork lens`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.numbers import Count, Seed
from mwork_eval.cli.options import languages_option, model_options, parse_names, pivot_option, sample_option
from mwork_eval.cli.prompting_options import prompting_options
from mwork_eval.errors import InputError
from mwork_eval.terminal.lines import tell_written


@click.command()
@model_options
@click.option(
    "--method",
    type=click.Choice(["tokens", "words"]),
    default="tokens",
    help="tokens: languages of the best tokens at every position. words: probability of one word in both languages.",
)
@languages_option(None, "Languages of the queries, without the pivot.  [default: zh,de,es,ru]")
@click.option(
    "--tasks",
    callback=parse_names,
    default="xquad",
    help="Prompts of: benchmarks, families, or patterns with {l}.",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="LANGUAGE=SOURCE",
    help="Read texts instead, as `mwork detect --corpus`.  [default: --tasks]",
)
@click.option(
    "--data",
    envvar="MWORK_DATA",
    help="Folder of the upstream files, embedded, or for bpb ja=FILE,...; MWORK_DATA or the hub if not given.",
)
@click.option("--limit", type=Count(1), help="Queries per language and task.  [default: 8; words: all]")
@sample_option
@click.option("--max-tokens", type=Count(2), default=512, help="Tokens read of a query; the rest is cut off.")
@click.option("--k", type=Count(1, 100), default=5, help="Best tokens looked at, at each position.")
@click.option(
    "--weight",
    type=click.Choice(["count", "probability"]),
    default="count",
    help="Every token counts as one, or by its probability.",
)
@click.option(
    "--prompt",
    type=click.Choice(["translation", "repetition"]),
    default="translation",
    help="For words: translate them (never from English), or say them again.",
)
@click.option(
    "--neurons", help="Folder with a set per language: also look with each language's set deactivated.  [default: none]"
)
@click.option("--positions", default="under", help="Where to deactivate, as in mwork-hf.")
@click.option(
    "--random-control",
    "seeds",
    multiple=True,
    type=Seed(0),
    help="Seed: as many random neurons, too.  [default: none]",
)
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.  [default: write nothing]"
)
@pivot_option
@prompting_options
@click.option("--plot", is_flag=True, help="Also draw the curves into --out (SVG and PNG); needs the extra plot.")
def lens(
    model: str,
    texts: tuple[str, ...],
    neurons: str | None,
    seeds: tuple[int, ...],
    out: Path | None,
    plot: bool,
    **options: Any,
) -> None:
    """Show what language the layers think in.

    Every layer's hidden states go through the final norm and the output head, as if the layer were the last one. The
    table says which share of what comes out is English (or another pivot), which is the query's language, and which is
    neither.
    """
    if (plot and out is None) or (seeds and neurons is None):
        raise InputError("an option is missing", expected="--plot with --out, --random-control with --neurons")

    from mwork_eval.application.lens import lens as look
    from mwork_eval.detection.corpus.sources import parse_corpora
    from mwork_eval.reports.plots import FORMATS, require_matplotlib, write_figures
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.lens import print_lens
    from mwork_eval.terminal.progress import TerminalProgress

    corpora = parse_corpora(texts, None) if texts else []
    if plot:
        require_matplotlib("--plot")
    found = look(
        model,
        texts={corpus.language: corpus.source for corpus in corpora} or None,
        neurons=neurons,
        seeds=seeds,
        out=out,
        progress=TerminalProgress(),
        **options,
    )
    print_lens(found.report, make_console())
    written = list(found.files)
    if plot and out is not None:
        written += write_figures({f"lens-{options['method']}": found.figure}, out, FORMATS)
    if written:
        tell_written(written)
