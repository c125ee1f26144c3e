"""`mwork profile` and `mwork overlap`."""

from pathlib import Path

import click

from mwork_eval.cli.options import stage_options

_PLOT = click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="An .svg or .png; extra [plot].")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="SETS...")
@stage_options
@_PLOT
@_JSON
def profile(
    references: tuple[str, ...],
    understanding_layers: int | None,
    generation_layers: int | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Count language-specific neurons per layer, in attention and in the feed-forward (the paper's Figure 3).

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors).
    """
    from rich.console import Console

    from mwork_eval.neurons.references import find_named_sets
    from mwork_eval.neurons.tuned_stages import stages_for
    from mwork_eval.reports.plots import check_plot_file, plot_layers, save_figure
    from mwork_eval.reports.set_counts import count_sets
    from mwork_eval.reports.set_tables import print_profile, profile_as_json

    if plot is not None:
        check_plot_file(plot, "--plot")
    sets = find_named_sets(references)
    counts = count_sets(sets)
    stages = stages_for(list(sets.values()), len(counts.sizes), understanding_layers, generation_layers)
    if as_json:
        click.echo(profile_as_json(counts, stages), nl=False)
    else:
        print_profile(counts, stages, Console())
    if plot is not None:
        click.echo(f"written: {save_figure(plot_layers(counts, stages), plot)}", err=True)


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="SETS...")
@stage_options
@click.option("--by", type=click.Choice(["position", "structure"]), help="Also a matrix for each of these.")
@_PLOT
@_JSON
def overlap(
    references: tuple[str, ...],
    understanding_layers: int | None,
    generation_layers: int | None,
    by: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show what the sets of every two languages share (the paper's Appendix C).

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors).
    """
    from rich.console import Console

    from mwork_eval.neurons.comparison import overlaps_by
    from mwork_eval.neurons.references import find_named_sets
    from mwork_eval.neurons.tuned_stages import stages_for
    from mwork_eval.reports.plots import check_plot_file, plot_overlap, save_figure
    from mwork_eval.reports.set_tables import overlaps_as_json, print_overlaps

    if plot is not None:
        check_plot_file(plot, "--plot")
    sets = find_named_sets(references)
    layers = next(iter(sets.values())).shape.layers
    stages = stages_for(list(sets.values()), layers, understanding_layers, generation_layers)
    matrices = overlaps_by(sets, by, stages)
    if as_json:
        click.echo(overlaps_as_json(matrices), nl=False)
    else:
        print_overlaps(matrices, Console())
    if plot is not None:
        shares = {
            part: {first: {second: found.share for second, found in row.items()} for first, row in matrix.items()}
            for part, matrix in matrices.items()
        }
        figure = plot_overlap(shares, "of the row's neurons that the column has too")
        click.echo(f"written: {save_figure(figure, plot)}", err=True)
