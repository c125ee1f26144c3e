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


def layers_without_keys(layout: Layout, after: int) -> list[int]:
    """Return the layers after another one whose attention has no keys of its own, but an earlier layer's."""
    later = range(after + 1, layout.shape.layers)
    return [layer for layer in later if any("k" not in one.projections for one in layout.attentions[layer])]


def _gives_keys(layout: Layout, layer: int) -> bool:
    """Say whether later layers may use the keys of a layer: it is the last of its type that has some."""
    kind = layer_type(layout, layer)
    if not any(layer_type(layout, other) == kind for other in layers_without_keys(layout, layer)):
        return False
    later = range(layer + 1, layout.shape.layers)
    own = (other for other in later if any("k" in one.projections for one in layout.attentions[other]))
    return not any(layer_type(layout, other) == kind for other in own)


def _switches(module: nn.Module) -> tuple[Any, ...]:
    found = (getattr(module, name, None) for name in _SWITCHES)
    return tuple(value if isinstance(value, bool | int | str) else None for value in found)


def layers_of_each_form(layout: Layout) -> list[int]:
    """Return the first layer of each form, in their order."""
    found: dict[Hashable, int] = {}
    for layer in range(layout.shape.layers):
        found.setdefault(form_of(layout, layer), layer)
    return list(found.values())
