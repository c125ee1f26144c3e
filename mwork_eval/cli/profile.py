"""`mwork profile` and `mwork overlap`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mwork_eval.cli import steps
from mwork_eval.cli.options import model_options, rule_options, stage_options, together
from mwork_eval.errors import InputError
from mwork_eval.terminal.progress import TerminalProgress

if TYPE_CHECKING:
    from mwork_eval.analysis.activity import Activity
    from mwork_eval.neurons.neuron_set import NeuronSet
    from mwork_eval.neurons.stages import Stages

_set_options = together(
    click.argument("references", nargs=-1, required=True, metavar="SETS..."),
    stage_options,
    click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="An .svg or .png; extra [plot]."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables."),
)


class _Sets(NamedTuple):
    sets: "dict[str, NeuronSet]"
    stages: "Stages"


def _read(references: tuple[str, ...], understanding: int | None, generation: int | None, plot: Path | None) -> _Sets:
    """Read sets, under short names if they differ, and their stages; a plot that cannot be written fails here."""
    from mwork_eval.neurons.references import SUFFIX, find_named_sets
    from mwork_eval.neurons.tuned_stages import stages_for
    from mwork_eval.reports.plots import check_plot_file

    if plot is not None:
        check_plot_file(plot, "--plot")
    found = find_named_sets(references)
    short = {name: name.removesuffix(SUFFIX).rpartition("/")[2] for name in found}
    sets = {short[name]: one for name, one in found.items()} if len(set(short.values())) == len(found) else found
    layers = next(iter(sets.values())).shape.layers
    return _Sets(sets, stages_for(list(sets.values()), layers, understanding, generation))


def _read_whole(
    references: tuple[str, ...],
    rule: dict[str, Any],
    understanding: int | None,
    generation: int | None,
    plot: Path | None,
) -> _Sets:
    """Select all neurons of every language that a folder has scores of, English first."""
    from mwork_eval.detection.score_table import load_score_tables
    from mwork_eval.detection.selection import select_specific
    from mwork_eval.languages.table import ENGLISH
    from mwork_eval.neurons.tuned_stages import stages_for
    from mwork_eval.reports.plots import check_plot_file

    if len(references) > 1:
        raise InputError("--with-english reads one folder of `mwork detect`", found=" ".join(references))
    if plot is not None:
        check_plot_file(plot, "--plot")
    found = select_specific(load_score_tables(Path(references[0])), steps.make_selection(**rule, specific="none"))
    if ENGLISH not in found:
        raise InputError(
            f"{references[0]} has no scores of English",
            found=" ".join(found),
            hint="detect with --corpus en=SOURCE, too",
        )
    sets = {language: found[language] for language in sorted(found, key=lambda code: (code != ENGLISH, code))}
    layers = sets[ENGLISH].shape.layers
    return _Sets(sets, stages_for(list(sets.values()), layers, understanding, generation))


def _save(draw: Any, plot: Path | None) -> None:
    from mwork_eval.reports.plots import save_figure

    if plot is not None:
        click.echo(f"written: {save_figure(draw(), plot)}", err=True)


@click.command()
@_set_options
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    metavar="LANGUAGE=SOURCE",
    help="Queries, as `mwork detect`: count the neurons that each of them calls up. Needs the model.",
)
@click.option("--limit", type=click.IntRange(1), default=8, show_default=True, help="Queries per language.")
@click.option("--max-tokens", type=click.IntRange(2), default=128, show_default=True, help="Tokens read of a query.")
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@model_options
def profile(
    references: tuple[str, ...],
    understanding_layers: int | None,
    generation_layers: int | None,
    plot: Path | None,
    as_json: bool,
    corpora: tuple[str, ...],
    **observation: Any,
) -> None:
    """Count language-specific neurons per layer, in attention and in the feed-forward (the paper's Figure 3).

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors). With
    --corpus: of each set, how many neurons are active in each query, that is among the top fraction of their layer
    and structure there.
    """
    from rich.console import Console

    sets, stages = _read(references, understanding_layers, generation_layers, plot)
    if corpora:
        from mwork_eval.terminal.activity import print_activity
        from mwork_eval.views.activity import activity_as_json, plot_activity

        found = _observe(sets, corpora, **observation)
        if as_json:
            click.echo(activity_as_json(found, stages), nl=False)
        else:
            print_activity(found, stages, Console())
        _save(lambda: plot_activity(found, stages), plot)
        return
    from mwork_eval.reports.plots import plot_layers
    from mwork_eval.results.set_counts import count_sets
    from mwork_eval.terminal.set_tables import print_profile
    from mwork_eval.views.set_tables import profile_as_json

    counts = count_sets(sets)
    if as_json:
        click.echo(profile_as_json(counts, stages), nl=False)
    else:
        print_profile(counts, stages, Console())
    _save(lambda: plot_layers(counts, stages), plot)


def _observe(
    sets: "dict[str, NeuronSet]",
    texts: tuple[str, ...],
    *,
    limit: int,
    max_tokens: int,
    force: bool,
    model: str,
    **loading: Any,
) -> "list[Activity]":
    from mwork_eval.analysis.activity import observe
    from mwork_eval.analysis.queries import distinct_queries, texts_of
    from mwork_eval.detection.scoring.scorer import Scorer
    from mwork_eval.models.fingerprint import fingerprint_of
    from mwork_eval.models.fit import check_fit
    from mwork_eval.models.layout import Layout
    from mwork_eval.models.loading import load_model

    read = texts_of(steps.make_corpora(texts, None), limit)
    loaded = load_model(model, **loading)
    layout, fingerprint = Layout.of(loaded.model), fingerprint_of(loaded.model)
    for neurons in sets.values():
        check_fit(neurons, layout.shape, fingerprint, model, force=force)
    queries = {language: distinct_queries(loaded.tokenizer, own, max_tokens) for language, own in read.items()}
    with TerminalProgress().bar("profile", sum(map(len, queries.values()))) as advance:
        return observe(Scorer(layout), sets, queries, advance=lambda language, n: advance(f"{language} (queries)", n))


@click.command()
@_set_options
@click.option("--by", type=click.Choice(["position", "structure"]), help="Also a matrix for each of these.")
@click.option(
    "--with-english",
    is_flag=True,
    help="All neurons of each language and of English, selected anew from the scores of one folder of `mwork detect`.",
)
@rule_options
def overlap(
    references: tuple[str, ...],
    understanding_layers: int | None,
    generation_layers: int | None,
    plot: Path | None,
    as_json: bool,
    by: str | None,
    with_english: bool,
    **rule: Any,
) -> None:
    """Show what the sets of every two languages share (the paper's Appendix C).

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors). These are
    language-specific, so that no other has a neuron of English; --with-english shows whole languages, English among
    them, by a rule as that of `mwork select`.
    """
    from rich.console import Console

    from mwork_eval.neurons.comparison import overlaps_by
    from mwork_eval.reports.plots import plot_overlap
    from mwork_eval.terminal.set_tables import print_overlaps
    from mwork_eval.views.set_tables import overlaps_as_json

    if with_english:
        sets, stages = _read_whole(references, rule, understanding_layers, generation_layers, plot)
    elif any(rule[name] is not None for name in ("fraction", "top_k", "threshold")):
        raise InputError("a rule selects from scores", found="no --with-english", expected="--with-english")
    else:
        sets, stages = _read(references, understanding_layers, generation_layers, plot)
    matrices = overlaps_by(sets, by, stages)
    if as_json:
        click.echo(overlaps_as_json(matrices), nl=False)
    else:
        print_overlaps(matrices, Console())
    shares = {
        part: {first: {second: found.share for second, found in row.items()} for first, row in matrix.items()}
        for part, matrix in matrices.items()
    }
    _save(lambda: plot_overlap(shares, "of the row's neurons that the column has too"), plot)
