"""`mwork profile` and `mwork overlap`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.numbers import Count
from mwork_eval.cli.options import model_options, pivot_option, rule_options, stage_options, together, trust_option
from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.terminal.lines import print_document, tell_written
from mwork_eval.terminal.progress import TerminalProgress

_set_options = together(
    click.argument("references", nargs=-1, required=True, metavar="SETS..."),
    stage_options,
    click.option(
        "--plot",
        type=click.Path(path_type=Path, dir_okay=False),
        help="An .svg or .png; extra [plot].  [default: no plot]",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables."),
)


def _check(plot: Path | None) -> None:
    """Fail before any work if a plot cannot be written."""
    from mwork_eval.reports.plots import check_plot_file

    if plot is not None:
        check_plot_file(plot, "--plot")


def _save(draw: Any, plot: Path | None) -> None:
    from mwork_eval.reports.plots import save_figure

    if plot is not None:
        tell_written([save_figure(draw(), plot)])


@click.command()
@_set_options
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    metavar="LANGUAGE=SOURCE",
    help="Queries, as `mwork detect`: count the neurons that each of them calls up. Needs the model.  "
    "[default: count those of the sets]",
)
@click.option("--limit", type=Count(1), default=8, show_default=True, help="Queries per language.")
@click.option("--max-tokens", type=Count(2), default=128, show_default=True, help="Tokens read of a query.")
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@model_options
@trust_option
def profile(
    references: tuple[str, ...],
    understanding_layers: int | None,
    generation_layers: int | None,
    plot: Path | None,
    as_json: bool,
    corpora: tuple[str, ...],
    limit: int,
    max_tokens: int,
    force: bool,
    model: str,
    **loading: Any,
) -> None:
    """Count language-specific neurons per layer, in attention and in the feed-forward (the paper's Figure 3).

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors). With
    --corpus: of each set, how many neurons are active in each query, that is among the top fraction of their layer
    and structure there.
    """
    _check(plot)

    from mwork_eval.application.named_sets import NamedSets
    from mwork_eval.terminal.console import make_console

    sets, stages = NamedSets.find(references, understanding_layers, generation_layers)
    if corpora:
        from mwork_eval.analysis.queries import texts_of
        from mwork_eval.application.profile import observe_queries
        from mwork_eval.detection.corpus.sources import parse_corpora
        from mwork_eval.models.loading import load_model
        from mwork_eval.neurons.missing_structures import lacking_of
        from mwork_eval.terminal.activity import print_activity
        from mwork_eval.views.activity import activity_as_json, plot_activity

        texts = texts_of(parse_corpora(corpora, None), limit)
        loaded = load_model(model, **loading)
        found = observe_queries(loaded, sets, texts, max_tokens=max_tokens, force=force, progress=TerminalProgress())
        if as_json:
            print_document(activity_as_json(found, stages))
        else:
            print_activity(found, stages, make_console(), lacking_of(sets.values()))
        _save(lambda: plot_activity(found, stages), plot)
        return
    from mwork_eval.reports.plots import plot_layers
    from mwork_eval.results.set_counts import count_sets
    from mwork_eval.terminal.set_tables import print_profile
    from mwork_eval.views.set_tables import profile_as_json

    counts = count_sets(sets)
    if as_json:
        print_document(profile_as_json(counts, stages))
    else:
        print_profile(counts, stages, make_console())
    _save(lambda: plot_layers(counts, stages), plot)


@click.command()
@_set_options
@click.option(
    "--by", type=click.Choice(["position", "structure"]), help="Also a matrix for each of these.  [default: one of all]"
)
@click.option(
    "--with-pivot",
    "--with-english",
    is_flag=True,
    help="All neurons of each language and of --pivot, selected anew from the scores of one folder of `mwork detect`.",
)
@pivot_option
@rule_options
def overlap(
    references: tuple[str, ...],
    understanding_layers: int | None,
    generation_layers: int | None,
    plot: Path | None,
    as_json: bool,
    by: str | None,
    with_pivot: bool,
    pivot: str,
    **rule: Any,
) -> None:
    """Show what the sets of every two languages share (the paper's Appendix C).

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors). These are
    language-specific, so that no other has a neuron of English; --with-pivot (or --with-english) shows whole languages,
    that one among them, by a rule as that of `mwork select`.
    """
    if with_pivot and len(references) > 1:
        raise InputError("--with-pivot reads one folder of `mwork detect`", found=" ".join(references))
    if not with_pivot and (
        pivot != ENGLISH or any(rule[name] is not None for name in ("fraction", "top_k", "threshold"))
    ):
        raise InputError("a rule and a pivot select from scores", found="no --with-pivot", expected="--with-pivot")
    _check(plot)

    from mwork_eval.application.named_sets import NamedSets
    from mwork_eval.detection.selection import Selection
    from mwork_eval.neurons.comparison import overlaps_by
    from mwork_eval.reports.plots import plot_overlap
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.set_tables import print_overlaps
    from mwork_eval.views.set_tables import overlaps_as_json

    bounds = understanding_layers, generation_layers
    if with_pivot:
        selection = Selection.of(**rule, specific="none")
        sets, stages = NamedSets.of_whole_languages(references[0], selection, *bounds, pivot)
    else:
        sets, stages = NamedSets.find(references, *bounds)
    matrices = overlaps_by(sets, by, stages)
    if as_json:
        print_document(overlaps_as_json(matrices))
    else:
        print_overlaps(matrices, make_console())
    shares = {
        part: {first: {second: found.share for second, found in row.items()} for first, row in matrix.items()}
        for part, matrix in matrices.items()
    }
    _save(lambda: plot_overlap(shares, "of the row's neurons that the column has too"), plot)
