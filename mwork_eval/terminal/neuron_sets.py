"""A neuron set."""

from rich.console import Console
from rich.table import Table

from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.structures import STRUCTURES

_STAGES = {"under": "understanding", "s-ffn": "task-solving", "gen": "generation"}
_ABOUT = (
    "language",
    "stages",
    "model",
    "fingerprint",
    "method",
    "dtype",
    "selection",
    "subtracted",
    "corpus",
    "documents",
    "tokens",
)


def print_neuron_set(name: str, neurons: NeuronSet, stages: Stages, console: Console) -> None:
    """Print a set's description and its counts by position, and by layer and structure."""
    share = 100 * len(neurons) / neurons.shape.switches
    console.print(f"[bold]{name}[/bold]: {len(neurons)} neurons, {share:.2f} % of {neurons.shape}", highlight=False)
    for key in _ABOUT:
        if key in neurons.about:
            console.print(f"  {key}: {neurons.about[key]}", highlight=False, markup=False)
    console.print(f"  digest: {neurons.digest}", highlight=False)
    if neurons.shared is not None:
        shared = len(NeuronSet(neurons.shape, neurons.shared))
        console.print(f"  taken away, because others have them too: {shared} neurons", highlight=False)
    positions = ", ".join(f"{position} {count}" for position, count in neurons.by_position(stages).items())
    console.print(f"  by position: {positions}", highlight=False)
    structures = [structure for structure in STRUCTURES if structure in neurons.by_structure()]
    table = Table("layer", "stage", *structures, "total")
    for layer, total in enumerate(neurons.by_layer()):
        counts = [str(len(neurons.indices.get((layer, structure), ()))) for structure in structures]
        table.add_row(str(layer), _STAGES[stages.position(layer, "up")], *counts, str(total))
    console.print(table)
