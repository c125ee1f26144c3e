"""The feed-forward parts of a layer: dense, routed experts, shared experts; what looking at names and shapes tells."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mwork_eval.models import vocabulary
from mwork_eval.models.blocks import Block, experts_block, features_of, projection_block, without_adapters

FeedForwardKind = Literal["dense", "experts", "expert"]
"""One block; all routed experts of a layer in tensors; one routed expert that is a module of its own."""

_EXPERT = re.compile(r"expert\w*\.\d+$")


@dataclass(frozen=True)
class FeedForward:
    """A part of a layer with gate, up and down, or up and down.

    Attributes:
        path: The path inside the layer of the module that holds it; empty where that is the layer itself.
        module: The module that holds it.
        kind: What it is.
        blocks: Its blocks by structure, all starting at 0.
    """

    path: str
    module: nn.Module
    kind: FeedForwardKind
    blocks: Mapping[str, Block]


def find_feed_forwards(layer: nn.Module, width: int, taken: Iterable[str]) -> tuple[FeedForward, ...]:
    """Find the feed-forward parts of a layer, routed experts first, then dense and shared ones.

    Args:
        layer: The layer.
        width: Channels of its hidden states.
        taken: Paths inside it of what is something else, such as attention.
    """
    others = tuple(taken)
    places = [
        (path, module)
        for path, module in layer.named_modules()
        if not any(path == other or path.startswith(f"{other}.") for other in others)
        and not any(word in path for word in ("norm", "base_layer", "original_module"))
    ]
    found = [part for path, module in places if (part := _named(path, module, width)) is not None]
    if not found:
        by_shape = [part for path, module in places if (part := _shaped(path, module, width)) is not None]
        found = sorted(by_shape, key=lambda part: part.blocks["up"].size)[-1:]
    return tuple(sorted(found, key=lambda part: part.kind == "dense"))


def _named(path: str, module: nn.Module, width: int) -> FeedForward | None:
    inside = without_adapters(module)
    children = dict(inside.named_children())
    tensors: dict[str, Tensor] = dict(inside.named_parameters(recurse=False))
    tensors |= {
        name: weight
        for name, child in children.items()
        if isinstance(weight := getattr(child, "weight", None), Tensor) and not isinstance(child, nn.Conv1d)
    }
    three = {name: tensor for name, tensor in tensors.items() if tensor.ndim == 3}
    down_name = next((name for name in vocabulary.DOWN if name in three), None)
    if down_name is not None:
        blocks = _expert_blocks(module, three, down_name, width)
        return None if blocks is None else FeedForward(path, inside, "experts", blocks)
    stacked = _stacked_blocks(inside, width)
    if stacked is not None:
        return FeedForward(path, inside, "experts", stacked)
    down = _first(children, vocabulary.DOWN)
    if down is None or _shape(down)[1] != width:
        return None
    inner = _shape(down)[0]
    kind: FeedForwardKind = "expert" if _EXPERT.search(path) else "dense"
    fused = _first(children, vocabulary.GATE_UP)
    if fused is not None and _shape(fused) == (width, 2 * inner):
        rows = torch.arange(2 * inner)
        blocks = {"gate": projection_block(fused, rows[:inner], column=False)}
        blocks["up"] = projection_block(fused, rows[inner:], column=False)
        return FeedForward(path, module, kind, {**blocks, "down": projection_block(down, column=True)})
    up, gate = _first(children, vocabulary.UP), _first(children, vocabulary.GATE)
    if up is None:
        up, gate = gate, None
    if up is None or _shape(up) != (width, inner):
        return None
    blocks = {} if gate is None or _shape(gate) != (width, inner) else {"gate": projection_block(gate, column=False)}
    blocks |= {"up": projection_block(up, column=False), "down": projection_block(down, column=True)}
    return FeedForward(path, module, kind, blocks)


def _shaped(path: str, module: nn.Module, width: int) -> FeedForward | None:
    """Find a feed-forward with unknown names: a matrix from n channels to the layer's, after one or two to n.

    Where n is the layer's width the last matrix is the one that comes down.
    """
    linears = [child for _, child in module.named_children() if _shape(child) != (0, 0)]
    downs = [one for one in linears if _shape(one)[1] == width]
    for down in reversed(downs):
        inner = _shape(down)[0]
        ups = [one for one in linears if one is not down and _shape(one) == (width, inner)]
        doubles = [one for one in linears if one is not down and _shape(one) == (width, 2 * inner)]
        blocks = {"down": projection_block(down, column=True)}
        if len(ups) == 2:
            blocks |= {name: projection_block(one, column=False) for name, one in zip(("gate", "up"), ups, strict=True)}
        elif len(ups) == 1 and not doubles:
            blocks["up"] = projection_block(ups[0], column=False)
        elif len(doubles) == 1 and not ups:
            rows = torch.arange(2 * inner)
            blocks["gate"] = projection_block(doubles[0], rows[:inner], column=False)
            blocks["up"] = projection_block(doubles[0], rows[inner:], column=False)
        else:
            continue
        return FeedForward(path, module, "expert" if _EXPERT.search(path) else "dense", blocks)
    return None


def _expert_blocks(
    module: nn.Module, tensors: Mapping[str, Tensor], down_name: str, width: int
) -> Mapping[str, Block] | None:
    plain = without_adapters(module)
    down = tensors[down_name]
    fused_name = next((name for name in vocabulary.GATE_UP if name in tensors), None)
    up_name = next((name for name in vocabulary.UP if name in tensors), None)
    gate_name = next((name for name in vocabulary.GATE if name in tensors), None)
    first_name = fused_name or up_name
    if first_name is None:
        return None
    first = tensors[first_name]
    transposed = _is_transposed(plain, down, first, width)
    inner = down.shape[1 if transposed else 2]
    bias = {name: getattr(plain, f"{name}_bias", None) for name in tensors}

    def rows(name: str) -> Tensor:  # [experts, d_inter or twice that, d_model]
        return tensors[name].transpose(1, 2) if transposed else tensors[name]

    parts: dict[str, tuple[Tensor, Tensor | None]] = {}
    if fused_name is not None:
        # Experts that interleave say so: gate is every second row.
        apart = not getattr(plain, "is_concatenated", True)
        halves = (slice(0, None, 2), slice(1, None, 2)) if apart else (slice(inner), slice(inner, 2 * inner))
        count = down.shape[0]  # more rows than experts: some experts are the identity (LongCat)
        for name, half in zip(("gate", "up"), halves, strict=True):
            own = bias[fused_name]
            parts[name] = rows(fused_name)[:count, half], None if own is None else own[:count, half]
    else:
        if gate_name is not None:
            parts["gate"] = rows(gate_name), bias[gate_name]
        parts["up"] = rows(first_name), bias[first_name]
    parts["down"] = (down if transposed else down.transpose(1, 2)), None
    adapted = plain is not module
    return {name: experts_block(plain, weight, own, adapted=adapted) for name, (weight, own) in parts.items()}


def _stacked_blocks(module: Any, width: int) -> Mapping[str, Block] | None:
    """Return the blocks of experts whose matrices stand one below the other, down as its transpose (DBRX)."""
    own = {name: tensor for name, tensor in module.named_parameters(recurse=False) if tensor.ndim == 2}
    words = {"gate": vocabulary.GATE, "up": vocabulary.UP, "down": vocabulary.DOWN}
    names = {structure: next((w for w in of_it if w in own), None) for structure, of_it in words.items()}
    inner = next((int(getattr(module, name)) for name in vocabulary.INNER if hasattr(module, name)), 0)
    rows = {len(own[name]) if name is not None and own[name].shape[1] == width else 0 for name in names.values()}
    if len(rows) != 1 or not inner or not (count := rows.pop() // inner):
        return None
    return {
        structure: experts_block(module, own[name].view(count, inner, width), None, adapted=False)
        for structure, name in names.items()
        if name is not None
    }


def _is_transposed(module: Any, down: Tensor, first: Tensor, width: int) -> bool:
    """Say whether experts keep `[d_in, d_out]`: by shapes where these tell, else as the module says."""
    if down.shape[1] != down.shape[2]:
        return down.shape[2] == width
    if first.shape[1] != first.shape[2]:
        return first.shape[1] == width
    return bool(getattr(module, "is_transposed", False))


def _first(children: Mapping[str, nn.Module], names: Iterable[str]) -> nn.Module | None:
    return next((children[name] for name in names if name in children and _shape(children[name]) != (0, 0)), None)


def _shape(module: nn.Module) -> tuple[int, int]:
    """Return input and output channels of a projection, (0, 0) for anything else."""
    inner: Any = without_adapters(module)
    weight = getattr(inner, "weight", None)
    if not hasattr(inner, "in_features") and (not isinstance(weight, Tensor) or weight.ndim != 2):
        return 0, 0
    if isinstance(inner, nn.Embedding):
        return 0, 0
    return features_of(inner)


def starting_at(parts: Iterable[FeedForward], structure: str) -> Iterator[Block]:
    """Yield the blocks of a structure, each starting where the one before ends."""
    start = 0
    for part in parts:
        if structure in part.blocks:
            yield replace(part.blocks[structure], start=start)
            start += part.blocks[structure].size
