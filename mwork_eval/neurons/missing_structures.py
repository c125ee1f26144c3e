"""Which layers of a model lack structures that others have, in words: another mixer than softmax attention, say."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import ATTENTION, FEED_FORWARD, STRUCTURES

MIXERS = "mixers"
"""Entry of a description: the layers without softmax attention, by what they have instead."""


def describe_mixers(other_mixers: Sequence[Mapping[str, str]], sizes: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Return the entry of a description that says which layers mix tokens otherwise; nothing if none does.

    Args:
        other_mixers: Per layer, the kinds of its other mixers by their paths.
        sizes: Per layer, the number of neurons of each structure.
    """
    found: dict[str, list[int]] = {}
    for layer, (mixers, of_layer) in enumerate(zip(other_mixers, sizes, strict=True)):
        if mixers and "q" not in of_layer:
            found.setdefault(" and ".join(dict.fromkeys(mixers.values())), []).append(layer)
    return {MIXERS: found} if found else {}


def missing_in_words(sizes: Sequence[Mapping[str, int]], about: Mapping[str, Any] | None = None) -> list[str]:
    """Return a line for each kind of layers that lack structures: `layers 0-2: linear attention (no q, k, v, o)`.

    Args:
        sizes: Per layer, the number of neurons of each structure.
        about: A description that may say what layers without softmax attention have instead.
    """
    common = [name for name in STRUCTURES if any(name in of_layer for of_layer in sizes)]
    expected = [name for name in STRUCTURES if name in common or name in ATTENTION]
    kinds = {layer: kind for kind, layers in ((about or {}).get(MIXERS) or {}).items() for layer in layers}
    lines: dict[str, list[int]] = {}
    for layer, of_layer in enumerate(sizes):
        missing = [name for name in expected if name not in of_layer]
        if set(ATTENTION) <= set(missing):
            kind = kinds.get(layer, "no attention neurons")
            lines.setdefault(f"{kind} (no {', '.join(ATTENTION)})", []).append(layer)
            missing = [name for name in missing if name not in ATTENTION]
        if missing and set(missing) == {name for name in FEED_FORWARD if name in common}:
            lines.setdefault(f"no feed-forward neurons (no {', '.join(missing)})", []).append(layer)
        elif missing:
            lines.setdefault(f"no {', '.join(missing)}", []).append(layer)
    return [f"{_layers(layers)}: {text}" for text, layers in lines.items()]


def lacking_of(sets: Iterable[NeuronSet]) -> tuple[str, ...]:
    """Return which layers of the model of some sets lack structures, a line for each kind of them."""
    every = list(sets)
    described = next((one for one in every if MIXERS in one.about), every[0] if every else None)
    return () if described is None else tuple(missing_in_words(described.shape.sizes, described.about))


def _layers(layers: Iterable[int]) -> str:
    """Return numbers of layers with runs as ranges: `layers 0-2, 4`."""
    numbers = sorted(layers)
    runs = [[layer for _, layer in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    shown = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"layer{'s' if len(numbers) > 1 else ''} {shown}"
