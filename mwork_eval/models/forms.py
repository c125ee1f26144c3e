"""Which layers of a model are of one form, so that what is true of one of them is true of all."""

from collections.abc import Hashable
from typing import Any

from torch import nn

from mwork_eval.models.layout import Layout

_SWITCHES = ("use_rope", "is_sliding", "sliding_window", "window_size", "layer_type", "attention_type", "is_causal")
"""Attributes by which modules of one class attend in another way."""


def form_of(layout: Layout, layer: int) -> Hashable:
    """Return what tells the form of a layer from that of another one: equal for layers that are alike."""
    attentions = tuple(
        (
            one.path,
            type(one.module).__name__,
            one.heads,
            one.latent,
            one.keys_of is not None,
            _gives_keys(layout, layer),
            tuple(one.projections),
            _switches(one.module),
        )
        for one in layout.attentions[layer]
    )
    forwards = tuple(
        sorted({(type(part.module).__name__, part.kind, tuple(part.blocks)) for part in layout.feed_forwards[layer]})
    )
    sizes = tuple(layout.shape.sizes[layer].items())
    return layer_type(layout, layer), attentions, tuple(layout.other_mixers[layer].values()), forwards, sizes


def layer_type(layout: Layout, layer: int) -> str | None:
    """Return what the configuration calls the attention or mixer of a layer, if it names them layer by layer."""
    kinds = getattr(layout.decoder.config, "layer_types", None)
    return str(kinds[layer]) if isinstance(kinds, list | tuple) and layer < len(kinds) else None


def _gives_keys(layout: Layout, layer: int) -> bool:
    return any(one.keys_of == layer for of_layer in layout.attentions for one in of_layer)


def _switches(module: nn.Module) -> tuple[Any, ...]:
    found = (getattr(module, name, None) for name in _SWITCHES)
    return tuple(value if isinstance(value, bool | int | str) else None for value in found)


def layers_of_each_form(layout: Layout) -> list[int]:
    """Return the first layer of each form, in their order."""
    found: dict[Hashable, int] = {}
    for layer in range(layout.shape.layers):
        found.setdefault(form_of(layout, layer), layer)
    return list(found.values())
