"""An inspected model."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mwork_eval.application.inspect import ModelInspection
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.structures import ATTENTION
from mwork_eval.terminal.console import TextTable, print_table, say, styled

_MOST_RUNS, _MOST_LINES = 4, 8


def print_inspection(model: ModelInspection, console: Console) -> None:
    """Print family, layers, what they are made of, neuron counts, memory, what is supported, and what was verified."""
    shape = model.shape

    def line(*parts: str | Text, end: str = "\n") -> None:
        say(console, *parts, end=end, wrap=False)

    line(styled(model.name, "bold"), f": {model.family}", end="")
    line(f", {shape.layers} layers")
    line(f"  {_count(model.parameters)} parameters: {_gib(model.weight_bytes('float32'))} in float32", end="")
    says = "in memory" if model.loaded else "the configuration says"
    line(f", {_gib(model.weight_bytes('bfloat16'))} in bfloat16; {says} {model.dtype}")
    for part in model.parts:
        where = "" if len(part.layers) == shape.layers else f" in {_words_of(part.layers)}"
        line(f"  {part.kind}{where}: {part.what}")
    line(f"  fused: {', '.join(model.fused) or 'nothing'}")
    table = TextTable("layers", *ATTENTION, "feed-forward", "total")
    for layers in _alike(shape):
        sizes = shape.sizes[layers[0]]
        total = sum(sizes.get(structure, 0) for structure in ("q", "k", "v", "up"))
        table.add_row(
            _few_words_of(layers),
            *(f"{sizes[structure]:,}" if structure in sizes else "" for structure in (*ATTENTION, "up")),
            f"{total:,}",
        )
    print_table(table, console)
    line(f"  {shape.switches:,} neurons; gate, up and down count once (feed-forward), o not")
    line(f"  detection: {_detection(model)}")
    line(f"  masking: {_masking(model)}")
    if model.verification is not None:
        _print_verification(model, console)


def _print_verification(model: ModelInspection, console: Console) -> None:
    found = model.verification
    assert found is not None
    say(
        console,
        f"  verified in {_words_of(found.layers)}: neurons zeroed in the weights one by one, "
        f"{found.tokens} tokens, {found.dtype}",
        wrap=False,
    )
    table = TextTable("structure", "layers", "neurons", "Spearman", "median error", "largest", "as read")
    for row in found.rows:
        table.add_row(
            row.structure,
            str(row.layers),
            str(row.neurons),
            f"{row.spearman:.4f}",
            _share(row.median),
            _share(row.largest),
            styled("no", "bold red") if not row.agrees else "rows" if row.other_switch else "yes",
        )
    print_table(table, console)
    if any(row.other_switch for row in found.rows):
        say(console, "  rows: they are right, and zero ones are another switch; masks take columns of down", wrap=False)
    if model.masks is not None:
        back = "weights come back bit by bit" if model.masks.restored else "weights do not come back as they were"
        apart = f"{_share(model.masks.distance)} of the mask's effect apart" if model.masks.distance else "the same"
        say(
            console,
            f"  masks of {model.masks.neurons} neurons: logits by weights and by activations are {apart}; {back}",
            wrap=False,
        )


def _share(value: float) -> str:
    if value < 1e-4:
        return f"{value:.0e}"
    return f"{100 * value:.2f} %" if value < 10 else f"{value:.0e}"


def _detection(model: ModelInspection) -> str:
    if model.quantised:
        return f"no, the checkpoint is quantised ({model.quantised}); detect in the unquantised model"
    methods = "yes, methods exact, paper and reference"
    if model.covered:
        return methods
    return f"{methods}; no test covers {model.family}: what was read is verified on its weights first (see --verify)"


def _masking(model: ModelInspection) -> str:
    return "yes, by activations" if model.quantised else "yes, by weights; by activations if they are offloaded"


def _count(count: int) -> str:
    millions = f"{count / 1e6:,.0f} M"
    return f"{count / 1e3:,.0f} K" if millions == "0 M" else millions


def _gib(count: int) -> str:
    gib = f"{count / 2**30:.1f} GiB"
    return f"{count / 2**20:.1f} MiB" if gib == "0.0 GiB" else gib


def _words_of(layers: Sequence[int]) -> str:
    """Return layers as ranges, such as `layers 0-4, 6-10`; where these are many, the first ones and the last."""
    words = _ranges_of(layers)
    if len(words) <= _MOST_RUNS:
        return f"{'layer' if len(layers) == 1 else 'layers'} {', '.join(words)}"
    return f"layers {', '.join(words[: _MOST_RUNS - 1])}, ..., {words[-1]} ({len(layers)} of them)"


def _few_words_of(layers: Sequence[int]) -> str:
    """Return layers for a narrow column: a range, or how many there are and where they begin."""
    words = _ranges_of(layers)
    return words[0] if len(words) == 1 else f"{len(layers)} from {layers[0]}"


def _ranges_of(layers: Sequence[int]) -> list[str]:
    runs: list[tuple[int, int]] = []
    for layer in layers:
        if runs and runs[-1][1] == layer - 1:
            runs[-1] = runs[-1][0], layer
        else:
            runs.append((layer, layer))
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs]


def _alike(shape: ModelShape) -> list[list[int]]:
    """Return layers with the same counts: consecutive ones, or where these would be many lines, all of a kind."""
    runs: list[list[int]] = []
    kinds: dict[str, list[int]] = {}
    for layer, sizes in enumerate(shape.sizes):
        experts = shape.experts[layer] if shape.experts else 0
        kinds.setdefault(f"{sizes} {experts}", []).append(layer)
        alike = (
            layer > 0 and sizes == shape.sizes[layer - 1] and (not shape.experts or experts == shape.experts[layer - 1])
        )
        if alike:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return runs if len(runs) <= _MOST_LINES else list(kinds.values())
