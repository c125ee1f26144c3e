"""One instrumented forward: hand each layer's attention and feed-forward activations to a sink as they pass.

transformers lets a model run any registered attention function. Ours is the eager one, and it gives the
rotated, normalised queries and keys, the mask and the soft-cap of every family without touching its code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from mwork_eval.models.layout import Layout

Tensor = torch.Tensor

_NAME = "mwork_capture"


@dataclass(frozen=True)
class Attention:
    """What one layer's attention saw and gave for one document (l tokens, H query and G key/value heads).

    Attributes:
        query: Rotated queries `[H, l, d]`.
        key: Rotated keys `[G, l, d]`.
        mask: Additive mask `[l, l]`, or None for plain causal attention.
        heads: Output per head before the output projection `[H, l, d]`.
        scale: Factor of the attention scores.
        softcap: Cap of the attention scores, or None.
    """

    query: Tensor
    key: Tensor
    mask: Tensor | None
    heads: Tensor
    scale: float
    softcap: float | None


class Sink(Protocol):
    """Receives the activations of one document, layer by layer, during the forward pass."""

    def attention(self, layer: int, seen: Attention) -> None:
        """Take a layer's attention."""

    def feed_forward(self, layer: int, hidden: Tensor) -> None:
        """Take the input of a layer's down projection, `[l, d_inter]`."""


_SINK: ContextVar[tuple[Sink, dict[int, int]] | None] = ContextVar("mwork_sink", default=None)


def run_document(layout: Layout, token_ids: list[int], sink: Sink) -> None:
    """Run the body of the model once on one document; no logits are computed.

    The model's attention implementation is changed for the call and put back, also after an exception.

    Args:
        layout: The model.
        token_ids: The document, at least one token.
        sink: Receives the activations.
    """
    ids = torch.tensor([token_ids], device=layout.device)
    with torch.inference_mode(), _instrumented(layout, sink):
        layout.decoder(input_ids=ids, use_cache=False)


@contextmanager
def _instrumented(layout: Layout, sink: Sink) -> Iterator[None]:
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, eager_mask)
    model: Any = layout.model
    before = model.config._attn_implementation
    indices = {id(layout.attention(layer)): layer for layer in range(layout.shape.layers)}
    hooks = [
        layout.projection(layer, "down").register_forward_pre_hook(_feed_forward_hook(layer, sink))
        for layer in range(layout.shape.layers)
    ]
    token = _SINK.set((sink, indices))
    try:
        model.set_attn_implementation(_NAME)
        yield
    finally:
        model.set_attn_implementation(before)
        _SINK.reset(token)
        for hook in hooks:
            hook.remove()


def _feed_forward_hook(layer: int, sink: Sink) -> Any:
    def hook(_: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
        sink.feed_forward(layer, args[0][0])

    return hook


def _attend(
    module: torch.nn.Module,
    query: Tensor,  # [1, H, l, d]
    key: Tensor,  # [1, G, l, d]
    value: Tensor,  # [1, G, l, d]
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Eager attention that shows the sink what it computes."""
    active = _SINK.get()
    if active is None:
        raise RuntimeError("the capturing attention ran outside run_document")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    per_group = query.shape[1] // key.shape[1]
    weights = query @ key.repeat_interleave(per_group, 1).transpose(-2, -1) * scale
    if softcap is not None:
        weights = softcap * torch.tanh(weights / softcap)
    mask = attention_mask
    if mask is None:
        length = query.shape[-2]
        mask = weights.new_full((1, 1, length, length), torch.finfo(weights.dtype).min).triu(1)
    weights = torch.softmax(weights + mask, -1, dtype=torch.float32).to(query.dtype)
    heads = weights @ value.repeat_interleave(per_group, 1)  # [1, H, l, d]
    sink, indices = active
    sink.attention(indices[id(module)], Attention(query[0], key[0], mask[0, 0], heads[0], scale, softcap))
    return heads.transpose(1, 2).contiguous(), None
