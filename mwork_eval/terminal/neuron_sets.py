"""A neuron set."""

from rich.console import Console

from mwork_eval.neurons.missing_structures import missing_in_words
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.structures import STRUCTURES
from mwork_eval.terminal.console import TextTable, print_table, say, styled

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
    "origin",
)


def print_neuron_set(name: str, neurons: NeuronSet, stages: Stages, console: Console) -> None:
    """Print a set's description and its counts by position, and by layer and structure."""
    share = 100 * len(neurons) / neurons.shape.switches
    say(console, styled(name, "bold"), f": {len(neurons)} neurons, {share:.2f} % of {neurons.shape}")
    for key in _ABOUT:
        if key in neurons.about:
            say(console, f"  {key}: {neurons.about[key]}")
    say(console, f"  digest: {neurons.digest}")
    if neurons.shared is not None:
        shared = len(NeuronSet(neurons.shape, neurons.shared))
        say(console, f"  taken away, because others have them too: {shared} neurons")
    if neurons.activations:
        say(console, f"  activations: {', '.join(sorted(neurons.activations))}")
    for line in missing_in_words(neurons.shape.sizes, neurons.about):
        say(console, f"  {line}")
    positions = ", ".join(f"{position} {count}" for position, count in neurons.by_position(stages).items())
    say(console, f"  by position: {positions}")
    structures = [structure for structure in STRUCTURES if structure in neurons.by_structure()]
    table = TextTable("layer", "stage", *structures, "total")
    for layer, total in enumerate(neurons.by_layer()):
        counts = [str(len(neurons.indices.get((layer, structure), ()))) for structure in structures]
        table.add_row(str(layer), _STAGES[stages.position(layer, "up")], *counts, str(total))
    print_table(table, console)
