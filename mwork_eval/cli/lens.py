"""`mwork lens`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import lens_steps
from mwork_eval.cli.options import languages_option, model_options, parse_names, sample_option
from mwork_eval.errors import InputError


@click.command()
@model_options
@click.option(
    "--method",
    type=click.Choice(["tokens", "words"]),
    default="tokens",
    help="tokens: languages of the best tokens at every position. words: probability of one word in both languages.",
)
@languages_option(None, "Languages of the queries, without en.  [default: zh,de,es,ru]")
@click.option(
    "--tasks", callback=parse_names, default="xquad", help="Whose prompts to read: benchmarks, or patterns {l}."
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="LANGUAGE=SOURCE",
    help="Read texts instead, as `mwork detect --corpus`.  [default: --tasks]",
)
@click.option(
    "--data", envvar="MWORK_DATA", help="Folder of the upstream files, or embedded; MWORK_DATA or the hub if not given."
)
@click.option("--limit", type=click.IntRange(1), help="Queries per language and task.  [default: 8; words: all]")
@sample_option
@click.option("--max-tokens", type=click.IntRange(2), default=512, help="Tokens read of a query; the rest is cut off.")
@click.option("--k", type=click.IntRange(1, 100), default=5, help="Best tokens looked at, at each position.")
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
    multiple=True,
    type=click.IntRange(0),
    help="Seed: as many random neurons, too.  [default: none]",
)
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.  [default: write nothing]"
)
@click.option("--plot", is_flag=True, help="Also draw the curves into --out (SVG and PNG); needs the extra plot.")
def lens(
    model: str,
    method: str,
    languages: list[str] | None,
    texts: tuple[str, ...],
    limit: int | None,
    neurons: str | None,
    positions: str,
    random_control: tuple[int, ...],
    force: bool,
    out: Path | None,
    plot: bool,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    **options: Any,
) -> None:
    """Show what language the layers think in.

    Every layer's hidden states go through the final norm and the output head, as if the layer were the last one. The
    table says which share of what comes out is English, which is the query's language, and which is neither.
    """
    from mwork_eval.detection.corpus.sources import parse_corpora
    from mwork_eval.languages.table import ENGLISH
    from mwork_eval.neurons.references import find_language_sets
    from mwork_eval.neurons.stages import parse_positions

    corpora = parse_corpora(texts, None) if texts else []
    if texts and (languages or method == "words"):
        raise InputError("--text brings its own language, and words come from the word list", found="both")
    if (plot and out is None) or (random_control and neurons is None):
        raise InputError("an option is missing", expected="--plot with --out, --random-control with --neurons")
    codes = [corpus.language for corpus in corpora] or languages or ["zh", "de", "es", "ru"]
    if ENGLISH in codes:
        raise InputError("English is what the others are compared with", found="en", expected="other languages")
    parse_positions(positions)
    sets = {} if neurons is None else find_language_sets(neurons, codes)

    from rich.console import Console

    from mwork_eval.analysis.masks import choose_masks
    from mwork_eval.analysis.queries import prompts_of_tasks, texts_of
    from mwork_eval.analysis.token_language import require_identifier
    from mwork_eval.models.layout import Layout
    from mwork_eval.models.loading import load_model
    from mwork_eval.reports.plots import FORMATS, require_matplotlib, write_figures
    from mwork_eval.views.lens import LensReport, plot_lens, print_lens, write_lens

    if plot:
        require_matplotlib("--plot")
    prompts: dict[str, list[str]] = {}
    if method == "tokens":
        if not corpora:
            codes = lens_steps.languages_with_data(options["tasks"], codes, options["data"])
        require_identifier(codes)
        prompts = (
            texts_of(corpora, limit or 8)
            if corpora
            else prompts_of_tasks(
                options["tasks"], codes, data=options["data"], limit=limit or 8, order=options["order"]
            )
        )
    loaded = load_model(model, device=device, dtype=dtype, device_map=device_map, revision=revision)
    masks = choose_masks(Layout.of(loaded.model), model, sets, positions=positions, seeds=random_control, force=force)
    if method == "tokens":
        curves = lens_steps.look_at_tokens(
            loaded, prompts, masks, most=options["max_tokens"], k=options["k"], weight=options["weight"]
        )
        asked = {"tasks": None if texts else options["tasks"], "texts": texts or None, "data": options["data"]}
        asked["order"] = None if texts else options["order"]
        asked |= {"k": options["k"], "weight": options["weight"], "max_tokens": options["max_tokens"]}
    else:
        curves = lens_steps.look_at_words(loaded, codes, masks, prompt=options["prompt"], limit=limit)
        asked = {"prompt": options["prompt"]}
    about = {"method": method, "model": model, **asked, "neurons": neurons, "positions": positions if neurons else None}
    report = LensReport(about, curves)
    print_lens(report, Console(soft_wrap=False))
    if out is not None:
        written = [write_lens(report, out)]
        if plot:
            written += write_figures({f"lens-{method}": lambda: plot_lens(report)}, out, FORMATS)
        click.echo("written: " + ", ".join(map(str, written)), err=True)
