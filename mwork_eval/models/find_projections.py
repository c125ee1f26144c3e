"""Find the projections of an attention module whose names tell nothing, by switching off channels and looking.

A channel of a projection is a neuron of q, k or v if zeroing it makes one channel of one head zero where the module
hands queries, keys and values to transformers' attention interface. One token is enough: at the first position rotary
embeddings turn nothing, and a head norm leaves a zero where it is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from mwork_eval.models.attention_choice import attending_by
from mwork_eval.models.blocks import features_of
from mwork_eval.models.fused_rows import Heads
from mwork_eval.models.placement import computing_device

Tensor = torch.Tensor

_NAME = "mwork_trace"
_TOKEN = 3
_AT_ONCE = 256
"""Channels that are tried in one forward pass."""


@dataclass
class _Seen:
    module: nn.Module
    parts: dict[str, Tensor] = field(default_factory=dict)
    called: list[nn.Module] = field(default_factory=list)
    before: int = 0


@dataclass(frozen=True)
class TracedAttention:
    """What an attention module turned out to be.

    Attributes:
        heads: Its head counts.
        projections: Per structure (q, k, v, o) the module.
        rows: Per structure (q, k, v) the output channels that are its neurons, in the order of heads and channels.
    """

    heads: Heads
    projections: Mapping[str, nn.Module]
    rows: Mapping[str, Tensor]


_SEEN: list[_Seen] = []


def trace_attention(base: Any, decoder: Any, module: nn.Module) -> TracedAttention | None:
    """Find q, k, v and o of an attention module by what its projections do.

    Args:
        base: The model, with weights.
        decoder: Its text decoder.
        module: The attention module, which calls transformers' attention interface.

    Returns:
        What was found; None if a part of q, k or v is no projection's output, or nothing follows the attention.
    """
    linears = [part for part in module.modules() if isinstance(part, nn.Linear)]
    with _traced(base, module) as seen:
        hooks = [one.register_forward_hook(lambda one, *_: seen.called.append(one)) for one in linears]
        try:
            _run(base, decoder, 1)
        finally:
            for hook in hooks:
                hook.remove()
        if set(seen.parts) != set("qkv"):
            return None
        whole = dict(seen.parts)
        heads = Heads(whole["q"].shape[1], whole["k"].shape[1], whole["q"].shape[3], whole["v"].shape[3])
        features = heads.query * heads.value_width
        after = [one for one in seen.called[seen.before :] if features_of(one)[0] == features]
        found: dict[str, dict[int, tuple[nn.Module, int]]] = {part: {} for part in "qkv"}
        for linear in dict.fromkeys(seen.called[: seen.before]):
            for part, entry, channel in _effects(base, decoder, seen, linear, whole):
                found[part].setdefault(entry, (linear, channel))
    sizes = {part: tensor[0, :, 0].numel() for part, tensor in whole.items()}
    if not after or any(len(found[part]) != sizes[part] for part in "qkv"):
        return None
    if any(len({id(linear) for linear, _ in of_part.values()}) != 1 for of_part in found.values()):
        return None
    ordered = {part: [found[part][entry] for entry in range(sizes[part])] for part in "qkv"}
    projections = {part: of_part[0][0] for part, of_part in ordered.items()} | {"o": after[-1]}
    rows = {part: torch.tensor([channel for _, channel in of_part]) for part, of_part in ordered.items()}
    return TracedAttention(heads, projections, rows)


def _effects(
    base: Any, decoder: Any, seen: _Seen, linear: nn.Module, whole: Mapping[str, Tensor]
) -> Iterator[tuple[str, int, int]]:
    """Yield which entry (head and channel) of q, k or v each output channel of a projection alone makes zero."""
    for channels in torch.arange(features_of(linear)[1]).split(_AT_ONCE):
        hook = linear.register_forward_hook(_zero_one_each(channels))
        try:
            _run(base, decoder, len(channels))
        finally:
            hook.remove()
        for part, before in whole.items():
            gone = (seen.parts[part] == 0) & (before != 0)  # [channels, heads, 1, d]
            flat = gone.flatten(1)
            for row in (flat.sum(1) == 1).nonzero().flatten().tolist():
                yield part, int(flat[row].nonzero()), int(channels[row])


def _zero_one_each(channels: Tensor) -> Callable[..., Tensor]:
    def hook(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
        changed = output.clone()
        changed.view(len(channels), -1)[torch.arange(len(channels)), channels.to(output.device)] = 0
        return changed

    return hook


def _run(base: Any, decoder: Any, rows: int) -> None:
    device = computing_device(base.get_input_embeddings())
    with torch.no_grad():
        decoder(input_ids=torch.full((rows, 1), _TOKEN, device=device), use_cache=False)


@contextmanager
def _traced(base: Any, module: nn.Module) -> Iterator[_Seen]:
    """Let the model's attention show what it is given; the model attends as before afterwards."""
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, lambda *_, **__: None)
    seen, training = _Seen(module), [part for part in base.modules() if part.training]
    _SEEN.append(seen)
    try:
        base.eval()
        with attending_by(base, _NAME):
            yield seen
    finally:
        for part in training:
            part.training = True
        _SEEN.remove(seen)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None, **_: Any
) -> tuple[Tensor, None]:
    """Attention of a single token to itself, which gives its value."""
    for seen in _SEEN:
        if seen.module is module:
            seen.parts = {"q": query.detach().cpu(), "k": key.detach().cpu(), "v": value.detach().cpu()}
            seen.before = len(seen.called)
    per_group = query.shape[1] // value.shape[1]
    return value.repeat_interleave(per_group, 1).transpose(1, 2).contiguous(), None
