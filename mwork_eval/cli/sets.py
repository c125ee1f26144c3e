"""`mwork sets`."""

import click


@click.group()
def sets() -> None:
    """Look at neuron sets."""


@sets.command()
@click.argument("references", nargs=-1, required=True, metavar="FILE...")
@click.option("--understanding-layers", type=click.IntRange(0), help="First layers; the set's number, else a quarter.")
@click.option("--generation-layers", type=click.IntRange(0), help="Last layers; the set's number, else an eighth.")
def show(references: tuple[str, ...], understanding_layers: int | None, generation_layers: int | None) -> None:
    """Print what sets are, and their counts per layer and position.

    FILE is a file, a shipped name such as gemma3-270m/zh, or an expression such as gemma3-270m/zh-es.
    """
    from rich.console import Console

    from mwork_eval.neurons.references import find_neurons
    from mwork_eval.neurons.tuned_stages import stages_for
    from mwork_eval.reports.neuron_sets import print_neuron_set

    console = Console()
    for reference in references:
        neurons = find_neurons(reference)
        stages = stages_for([neurons], neurons.shape.layers, understanding_layers, generation_layers)
        print_neuron_set(reference, neurons, stages, console)
