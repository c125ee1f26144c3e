"""An inspected model."""

from rich.console import Console
from rich.text import Text

from mwork_eval.models.inspection import Inspection
from mwork_eval.neurons.structures import STRUCTURES
from mwork_eval.terminal.console import TextTable, print_table, say, styled


def print_inspection(model: Inspection, console: Console) -> None:
    """Print family, layers, structures, neuron counts, memory, and what is supported."""
    layout, shape = model.layout, model.layout.shape
    heads = next(one.heads for of_layer in layout.attentions for one in of_layer)

    def line(*parts: str | Text, end: str = "\n") -> None:
        say(console, *parts, end=end, wrap=False)

    line(styled(model.name, "bold"), f": {shape.family}", end="")
    line(f", {shape.layers} layers")
    line(f"  heads: {heads.query} query, {heads.groups} key/value, {heads.width} channels each")
    line(f"  {model.parameters / 1e6:,.0f} M parameters: {_gib(model.weight_bytes('float32'))} in float32", end="")
    line(f", {_gib(model.weight_bytes('bfloat16'))} in bfloat16; the configuration says {model.dtype}")
    line(f"  fused: {', '.join(model.fused) or 'nothing'}")
    table = TextTable("layers", *STRUCTURES, "total", "experts")
    for first, last in _runs(shape.sizes, shape.experts):
        sizes = shape.sizes[first]
        total = sum(sizes.get(structure, 0) for structure in ("q", "k", "v", "up"))
        table.add_row(
            str(first) if first == last else f"{first}-{last}",
            *(f"{sizes[structure]:,}" if structure in sizes else "" for structure in STRUCTURES),
            f"{total:,}",
            str(shape.experts[first]) if shape.experts and shape.experts[first] else "",
        )
    print_table(table, console)
    line(f"  {shape.switches:,} neurons; gate, up and down count once, o not")
    line(f"  detection: {_detection(model)}")
    line(f"  masking: {_masking(model)}")


def _detection(model: Inspection) -> str:
    if model.quantised:
        return f"no, the checkpoint is quantised ({model.quantised}); detect in the unquantised model"
    return "yes, methods exact, paper and reference"


def _masking(model: Inspection) -> str:
    return "yes, by activations" if model.quantised else "yes, by weights; by activations if they are offloaded"


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _runs(sizes: tuple[object, ...], experts: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return first and last of consecutive layers that are alike."""
    runs: list[tuple[int, int]] = []
    for layer, size in enumerate(sizes):
        alike = runs and size == sizes[layer - 1] and (not experts or experts[layer] == experts[layer - 1])
        runs[-1:] = [(runs[-1][0], layer)] if alike else [*runs[-1:], (layer, layer)]
    return runs
