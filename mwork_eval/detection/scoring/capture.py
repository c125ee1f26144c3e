"""One instrumented forward: hand each layer's attention and feed-forward activations to a sink as they pass.

transformers lets a model run any registered attention function. Ours gives the sink the rotated, normalised queries
and keys, the window and the soft-cap of every family without touching its code, and returns the sink's attention
output. BLOOM and Falcon do not use that interface; for them the arguments of the attention module give the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedConfig
from transformers.masking_utils import AttentionMaskInterface

from mwork_eval.detection.scoring.attention import Attention, HeadNorm
from mwork_eval.detection.scoring.feed_forward import FeedForwardSink, watch_feed_forward
from mwork_eval.detection.scoring.feed_forward_forms import Form, find_forms
from mwork_eval.detection.scoring.rotation import Rotation
from mwork_eval.models.layout import Layout
from mwork_eval.models.linear import faster_linears, replaceable_linears

Tensor = torch.Tensor

_NAME = "mwork_capture"


class Sink(FeedForwardSink, Protocol):
    """Receives the activations of a batch of documents, layer by layer, during the forward pass."""

    def attention(self, layer: int, document: int, seen: Attention) -> Tensor:
        """Take a document's attention and return its output per head `[H, l, d]`."""


@dataclass
class _CapturedLayer:
    """What the hooks of one layer have seen before its attention runs."""

    number: int
    module: nn.Module
    rotary: tuple[Tensor, Tensor] | None = None
    alibi: Tensor | None = None
    raw: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class _Capture:
    layout: Layout
    sink: Sink
    lengths: Sequence[int]
    layers: dict[int, _CapturedLayer]
    forms: Mapping[tuple[int, int], Form]


_CAPTURE: ContextVar[_Capture | None] = ContextVar("mwork_capture", default=None)


def run_batch(
    layout: Layout,
    documents: Sequence[Sequence[int]],
    sink: Sink,
    forms: Mapping[tuple[int, int], Form] | None = None,
) -> None:
    """Run the body of the model once on documents; no logits are computed.

    Shorter documents are padded at the end, where no token of a causal model can see it. The model's attention
    implementation is changed for the call and put back, also after an exception.

    Args:
        layout: The model.
        documents: Token ids of each, at least one token.
        sink: Receives the activations, padding included for the feed-forward.
        forms: The forms of the feed-forwards, as `find_forms` gives them; they are looked for if None.
    """
    longest = max(map(len, documents))
    ids = torch.zeros(len(documents), longest, dtype=torch.long)
    for row, tokens in enumerate(documents):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    forms = find_forms(layout, documents[0]) if forms is None else forms
    capture = _Capture(layout, sink, [len(tokens) for tokens in documents], {}, forms)
    linears = replaceable_linears(module for layer in layout.layers for module in layer.modules())
    with torch.inference_mode(), _instrumented(capture), faster_linears(linears):
        layout.decoder(input_ids=ids.to(layout.device), use_cache=False)


@contextmanager
def _instrumented(capture: _Capture) -> Iterator[None]:
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, _no_mask)
    layout = capture.layout
    model: Any = layout.model
    before = _implementations(model)
    hooks: list[Any] = []
    undo: ExitStack[bool | None] = ExitStack()
    token = _CAPTURE.set(capture)
    try:
        for number in range(layout.shape.layers):
            hooks += _hooks_of(capture, number)
            watch_feed_forward(layout, number, capture.forms, capture.lengths, capture.sink, undo)
        if _interface(layout):
            model.set_attn_implementation(_NAME)
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation
        _CAPTURE.reset(token)
        for hook in hooks:
            hook.remove()
        undo.close()


def _implementations(model: nn.Module) -> list[tuple[Any, Any]]:
    """Return every configuration within a model and its attention, outer ones first: setting one sets those inside.

    A model of several parts, such as text and vision, may have another attention in each.
    """
    found: dict[int, tuple[Any, Any]] = {}
    parts: list[Any] = list(model.modules())
    left = [part.config for part in parts if isinstance(getattr(part, "config", None), PreTrainedConfig)]
    while left:
        config = left.pop(0)
        if id(config) not in found:
            found[id(config)] = (config, config._attn_implementation)
            left += [inner for name in config.sub_configs if (inner := getattr(config, name, None)) is not None]
    return list(found.values())


def _hooks_of(capture: _Capture, number: int) -> list[Any]:
    layout = capture.layout
    module = layout.attentions[number][0].module
    layer = capture.layers[id(module)] = _CapturedLayer(number, module)

    def before_attention(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        layer.rotary = kwargs.get("position_embeddings")
        layer.alibi = kwargs.get("alibi")

    hooks = [module.register_forward_pre_hook(before_attention, with_kwargs=True)]
    hooks += [
        _keep_raw(layout, layer, structure)
        for structure in ("q", "k", "v")
        if not _interface(layout) or _norm_module(module, structure) is not None
    ]
    if not _interface(layout):
        hooks.append(layout.blocks[number, "o"][0].module.register_forward_pre_hook(_attend_outside(capture, layer)))
    return hooks


def _keep_raw(layout: Layout, layer: _CapturedLayer, structure: str) -> Any:
    block, heads = layout.blocks[layer.number, structure][0], layout.attentions[layer.number][0].heads

    def hook(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> None:
        assert block.channels is not None
        raw = output[..., block.channels.to(output.device)]
        layer.raw[structure] = raw.unflatten(-1, (-1, heads.width)).transpose(1, 2)  # [B, heads, l, d]

    return block.module.register_forward_hook(hook)


def _norm_module(attention: nn.Module, structure: str) -> nn.Module | None:
    norm = getattr(attention, f"{structure}_norm", None)
    return norm if isinstance(norm, nn.Module) else None


def _no_mask(*_: Any, **__: Any) -> None:
    """Make no l x l mask: attention is causal, within a window for some layers, and padding stands at the end."""


def _attend(
    module: nn.Module,
    query: Tensor,  # [B, H, l, d]
    key: Tensor,  # [B, G, l, d]
    value: Tensor,  # [B, G, l, d]
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention that the sink computes."""
    capture = _CAPTURE.get()
    if capture is None:
        raise RuntimeError("the capturing attention ran outside run_batch")
    layer = capture.layers[id(module)]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    heads = _show(capture, layer, query, key, value, sliding_window, None, scale, softcap)
    layer.raw.clear()
    return heads.transpose(1, 2).contiguous(), None


def _attend_outside(capture: _Capture, layer: _CapturedLayer) -> Any:
    """Return a hook on the output projection that computes attention from what the module was given."""

    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        query, key, value = (layer.raw[structure] for structure in "qkv")
        scale, bias = query.shape[-1] ** -0.5, None
        if layer.alibi is not None:
            bias = layer.alibi.reshape(len(query), query.shape[1], -1)  # [B, H, l]
            bias = bias * scale if capture.layout.family == "falcon" else bias
        elif layer.rotary is not None:
            rotation = _rotation(capture, layer, query, query.shape[-2], 0)
            query, key = rotation.apply(query), rotation.apply(key)
        heads = _show(capture, layer, query, key, value, None, bias, scale, None)
        layer.raw.clear()
        return (heads.transpose(1, 2).flatten(2).to(args[0].dtype), *args[1:])

    return hook


def _show(
    capture: _Capture,
    layer: _CapturedLayer,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    window: int | None,
    bias: Tensor | None,
    scale: float,
    softcap: float | None,
) -> Tensor:
    """Give the sink every document without its padding; return the output of the batch `[B, H, l, d]`."""
    heads = torch.zeros_like(query)
    for document, length in enumerate(capture.lengths):
        rotary = layer.rotary if bias is None else None
        seen = Attention(
            query=query[document, :, :length],
            key=key[document, :, :length],
            value=value[document, :, :length],
            rotation=Rotation.none(length, query.shape[-1], query.device)
            if rotary is None
            else _rotation(capture, layer, query, length, document),
            query_norm=_norm(layer, "q", document, length),
            key_norm=_norm(layer, "k", document, length),
            window=window,
            key_bias=None if bias is None else bias[document, :, :length],
            scale=scale,
            softcap=softcap,
        )
        heads[document, :, :length] = capture.sink.attention(layer.number, document, seen).to(heads.dtype)
    return heads


def _rotation(capture: _Capture, layer: _CapturedLayer, query: Tensor, length: int, document: int) -> Rotation:
    assert layer.rotary is not None
    cos, sin = (part[document if len(part) > 1 else 0, :length].to(query.device) for part in layer.rotary)
    return Rotation.of("interleaved" if capture.layout.family == "cohere" else "half", cos, sin, query.shape[-1])


def _norm(layer: _CapturedLayer, structure: str, document: int, length: int) -> HeadNorm | None:
    module = _norm_module(layer.module, structure)
    if module is None:
        return None
    raw = layer.raw[structure][document, :, :length]
    weight: Any = module.weight
    return HeadNorm(raw, module, spans_heads=weight.ndim == 1 and weight.numel() != raw.shape[-1])


def _interface(layout: Layout) -> bool:
    return all(one.interface for of_layer in layout.attentions for one in of_layer)
