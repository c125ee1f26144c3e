"""One instrumented forward: hand each layer's attention and feed-forward activations to a sink as they pass.

transformers lets a model run any registered attention function. Ours gives the sink the rotated, normalised queries
and keys, the mask and the soft-cap of every family without touching its code, and returns the sink's attention output.
Of models that do not use that interface (BLOOM, GPT-J) the products and the softmax are watched instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from mwork_eval.detection.scoring.activation_listener import ActivationListener
from mwork_eval.detection.scoring.attention_capture import AttentionCapture, AttentionSink, Known
from mwork_eval.detection.scoring.feed_forward import FeedForwardSink, watch_feed_forward
from mwork_eval.detection.scoring.feed_forward_forms import Form, find_forms
from mwork_eval.detection.scoring.row_factors import first_tensor
from mwork_eval.models.attention_choice import attending_by
from mwork_eval.models.layout import Layout
from mwork_eval.models.linear import faster_linears, replaceable_linears

Tensor = torch.Tensor


class Sink(AttentionSink, FeedForwardSink, Protocol):
    """Receives the activations of a batch of documents, layer by layer, during the forward pass."""


@dataclass(frozen=True)
class _Capture:
    layout: Layout
    sink: Sink
    lengths: Sequence[int]
    attention: AttentionCapture
    forms: Mapping[tuple[int, int], Form]
    listener: ActivationListener | None


class _Name(str):
    """The name of our attention, which models that ask for it take for torch's own.

    Some apply masks of their own only for the implementations that they know by name (DeepSeek V3.2).
    """

    def __eq__(self, other: object) -> bool:
        return str(self) == other or other == "sdpa"

    __hash__ = str.__hash__


_NAME = _Name("mwork_capture")
_CAPTURE: ContextVar[_Capture | None] = ContextVar("mwork_capture", default=None)


def run_batch(
    layout: Layout,
    documents: Sequence[Sequence[int]],
    sink: Sink,
    known: dict[tuple[int, int], Known] | None = None,
    forms: Mapping[tuple[int, int], Form] | None = None,
    listener: ActivationListener | None = None,
) -> None:
    """Run the body of the model once on documents; no logits are computed.

    Shorter documents are padded at the end, where no token of a causal model can see it. The model's attention
    implementation is changed for the call and put back, also after an exception.

    Args:
        layout: The model.
        documents: Token ids of each, at least one token.
        sink: Receives the activations, padding included for the feed-forward.
        known: What earlier batches found out about the attention of each layer and part; this one adds to it.
        forms: The forms of the feed-forwards, as `find_forms` gives them; they are looked for if None.
        listener: Receives the activations of all neurons, and what each layer gives.
    """
    longest = max(map(len, documents))
    ids = torch.zeros(len(documents), longest, dtype=torch.long)
    for row, tokens in enumerate(documents):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    forms = find_forms(layout, documents[0]) if forms is None else forms
    lengths = [len(tokens) for tokens in documents]
    attention = AttentionCapture(layout, sink, lengths, {} if known is None else known, listener)
    capture = _Capture(layout, sink, lengths, attention, forms, listener)
    linears = replaceable_linears(module for layer in layout.layers for module in layer.modules())
    with torch.inference_mode(), _instrumented(capture), faster_linears(linears):
        layout.decoder(input_ids=ids.to(layout.device), use_cache=False)


@contextmanager
def _instrumented(capture: _Capture) -> Iterator[None]:
    AttentionInterface.register(str(_NAME), _attend)
    AttentionMaskInterface.register(str(_NAME), _mask)
    undo: ExitStack[bool | None] = ExitStack()
    token = _CAPTURE.set(capture)
    try:
        for number in range(capture.layout.shape.layers):
            watch_feed_forward(
                capture.layout, number, capture.forms, capture.lengths, capture.sink, undo, capture.listener
            )
            if capture.listener is not None:
                _watch_states(capture.layout.layers[number], number, capture.listener, undo)
        for hook in capture.attention.hooks():
            undo.callback(hook.remove)
        if capture.attention.outside:
            undo.enter_context(capture.attention.watch)
        else:
            undo.enter_context(attending_by(capture.layout.model, _NAME))
        yield
    finally:
        _CAPTURE.reset(token)
        undo.close()


def _watch_states(layer: nn.Module, number: int, listener: ActivationListener, undo: ExitStack[bool | None]) -> None:
    def show(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        states = first_tensor(output)
        if states.ndim == 3:  # not so where a layer gives several streams
            listener.states(number, states)

    undo.callback(layer.register_forward_hook(show).remove)


def _mask(*args: Any, **about: Any) -> Tensor | None:
    return _running().attention.masks.make(*args, **about)


def _attend(
    module: nn.Module,
    query: Tensor,  # [B, H, l, d]
    key: Tensor,  # [B, G, l, d]
    value: Tensor,  # [B, G, l, d_v]
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention that the sink computes."""
    heads = _running().attention.attend(module, (query, key, value), attention_mask, options)
    return heads.transpose(1, 2).contiguous(), None


def _running() -> _Capture:
    capture = _CAPTURE.get()
    if capture is None:
        raise RuntimeError("the capturing attention ran outside run_batch")
    return capture
