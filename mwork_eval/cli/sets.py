"""`mwork sets`."""

from pathlib import Path

import click

from mwork_eval.cli.interchange import export_sets, import_sets
from mwork_eval.cli.options import stage_options
from mwork_eval.cli.pull import pull
from mwork_eval.terminal.lines import answer, print_document, tell_written


@click.group()
def sets() -> None:
    """Look at neuron sets, compare and combine them, exchange them with other tools."""


@sets.command()
@click.argument("references", nargs=-1, required=True, metavar="FILE...")
@stage_options
def show(references: tuple[str, ...], understanding_layers: int | None, generation_layers: int | None) -> None:
    """Print what sets are, and their counts per layer and position.

    FILE is a file, a shipped name such as gemma3-270m/zh, one of the hub such as hub:USER/NAME/zh, or an expression
    such as gemma3-270m/zh-es.
    """
    from mwork_eval.application.sets import find_sets
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.neuron_sets import print_neuron_set

    console = make_console()
    for one in find_sets(references, understanding_layers, generation_layers):
        print_neuron_set(one.name, one.neurons, one.stages, console)


@sets.command()
@click.argument("first")
@click.argument("second")
@stage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def diff(
    first: str, second: str, understanding_layers: int | None, generation_layers: int | None, as_json: bool
) -> None:
    """Print what two sets share, overall, by layer and by position.

    FIRST and SECOND are sets (files, names such as gemma3-270m/zh, expressions), or two folders of sets, which are
    compared language by language. They may be of two checkpoints of one model.
    """
    from mwork_eval.neurons.comparison import compare_pairs
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.set_comparison import print_comparisons
    from mwork_eval.views.set_comparison import comparisons_as_json

    found = compare_pairs(first, second, understanding_layers, generation_layers)
    if as_json:
        print_document(comparisons_as_json(found))
    else:
        print_comparisons(found, make_console())


@sets.command()
@click.argument("expression")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A .safetensors file.")
def algebra(expression: str, out: Path) -> None:
    """Evaluate an expression of sets and save the result.

    EXPRESSION is sets joined by - (without), & (and) and | (or) with blanks around each, read from left to right:
    'gemma3-270m/zh - gemma3-270m/es | runs/zh'. The result keeps the description of the first set.
    """
    from mwork_eval.application.sets import combine_sets, share_of

    answer(f"{out}: {share_of(combine_sets(expression, out))}")


@sets.command()
@click.argument("references", nargs=-1, required=True, metavar="SETS...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="An .svg or .png file.")
def plot(references: tuple[str, ...], out: Path) -> None:
    """Draw the share of each layer's and structure's neurons that is in each set; needs the extra [plot].

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors).
    """
    from mwork_eval.neurons.references import find_named_sets
    from mwork_eval.reports.plots import check_plot_file, plot_heat, save_figure
    from mwork_eval.results.set_counts import count_sets

    check_plot_file(out, "--out")
    tell_written([save_figure(plot_heat(count_sets(find_named_sets(references))), out)])


sets.add_command(import_sets)
sets.add_command(export_sets)
sets.add_command(pull)
