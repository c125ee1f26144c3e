"""Attention of one document, computed in blocks of rows that several scores share.

Only one block of attention weights exists at a time, so the memory is bounded whatever the document's length.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor

_MATRICES = 16
"""Matrices of the size of a block of attention weights, of its rows and of its keys that scoring holds at once."""
_MOST_ROWS = 64
"""More rows gain nothing on a CPU: a block skips the keys after its last row, and larger blocks skip less."""


@dataclass(frozen=True)
class HeadNorm:
    """The norm that a family applies to queries or keys before the rotation.

    Attributes:
        raw: What comes out of the projection `[heads, l, d]`.
        module: The norm.
        spans_heads: Whether it runs over all heads at once (OLMo 2) rather than over each.
    """

    raw: Tensor
    module: nn.Module
    spans_heads: bool

    @property
    def centres(self) -> bool:
        """Whether the norm also subtracts the mean (Cohere), so that zeroing one channel moves all others."""
        return "LayerNorm" in type(self.module).__name__

    def shares(self) -> Tensor:
        """Return each channel's share of the mean square that the norm divides by, `[heads, l, d]`, below 1."""
        squares = self.raw.float().square()
        dims = (0, 2) if self.spans_heads else (2,)
        count = squares.shape[2] * (squares.shape[0] if self.spans_heads else 1)
        epsilon = getattr(self.module, "variance_epsilon", None) or getattr(self.module, "eps", 0.0) or 0.0
        return squares / (squares.sum(dims, keepdim=True) + epsilon * count).clamp_min(1e-30)


@dataclass(frozen=True)
class Attention:
    """What one layer's attention sees of one document (l tokens, H query and G key/value heads).

    Attributes:
        query: Rotated and normalised queries `[H, l, d]`.
        key: Rotated and normalised keys `[G, l, d]`.
        value: Values `[G, l, d]`.
        rotation: The rotation in them.
        query_norm: Norm of the queries, or None.
        key_norm: Norm of the keys, or None.
        window: Number of tokens that a row sees, itself included, or None for all up to itself.
        key_bias: Added to the scores of each head and key `[H, l]` (ALiBi), or None.
        scale: Factor of the attention scores.
        softcap: Cap of the attention scores, or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    rotation: Rotation
    query_norm: HeadNorm | None
    key_norm: HeadNorm | None
    window: int | None
    key_bias: Tensor | None
    scale: float
    softcap: float | None

    @property
    def per_group(self) -> int:
        """Number of query heads that share a key head."""
        return self.query.shape[0] // self.key.shape[0]

    def blocks(self, memory: int) -> Iterator["RowBlock"]:
        """Yield the attention weights in blocks: for some groups of heads all blocks of rows, then the next groups.

        Args:
            memory: Bytes that a block and what is computed from it may take.
        """
        groups, tokens, width = self.key.shape
        row_bytes = 4 * _MATRICES * self.per_group * (tokens + width)
        key_bytes = 4 * _MATRICES * tokens * width
        at_once = max(1, min(groups, memory // (row_bytes * min(_MOST_ROWS, tokens) + key_bytes)))
        rows = max(1, min(_MOST_ROWS, (memory - at_once * key_bytes) // (row_bytes * at_once)))
        for group in range(0, groups, at_once):
            for start in range(0, tokens, rows):
                yield self._rows(slice(group, min(group + at_once, groups)), start, min(start + rows, tokens))

    def _rows(self, groups: slice, start: int, stop: int) -> "RowBlock":
        # Keys that no row of the block may see are left out: later ones, and those behind a sliding window.
        keys = slice(0 if self.window is None else max(0, start - self.window + 1), stop)
        bias = self.bias(slice(start, stop), keys)
        count = groups.stop - groups.start
        query = self.query.unflatten(0, (-1, self.per_group))[groups, :, start:stop].float()
        key = self.key[groups, keys].float()
        raw = self.scale * (query.flatten(1, 2) @ key.mT).reshape(count, self.per_group, stop - start, -1)
        if self.key_bias is not None:
            bias = bias + self.key_bias.unflatten(0, (-1, self.per_group))[groups, :, None, keys].float()
        logits = self.capped(raw) + bias
        weights = torch.softmax(logits, -1)
        return RowBlock(groups, slice(start, stop), keys, query, key, raw, bias.expand_as(raw), logits, weights)

    def bias(self, queries: slice, keys: slice) -> Tensor:
        """Return the additive mask of some tokens `[queries, keys]`: 0 where a key is seen, else the least number."""
        position = torch.arange(self.query.shape[1], device=self.query.device)
        distance = position[queries, None] - position[None, keys]
        hidden = distance < 0 if self.window is None else (distance < 0) | (distance >= self.window)
        return torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, torch.finfo(torch.float32).min)

    def capped(self, raw: Tensor) -> Tensor:
        """Apply the soft-cap to attention scores."""
        return raw if self.softcap is None else self.softcap * torch.tanh(raw / self.softcap)


@dataclass(frozen=True)
class RowBlock:
    """A block of attention weights (g key heads, p query heads for each, r rows, j keys).

    Attributes:
        groups: The key heads.
        queries: The rows' token positions.
        keys: The keys' token positions.
        query: `[g, p, r, d]`.
        key: `[g, j, d]`.
        raw: Scaled scores before soft-cap and mask `[g, p, r, j]`.
        bias: What is added after the soft-cap `[g, p, r, j]`.
        logits: What the softmax is taken of `[g, p, r, j]`.
        weights: Attention weights `[g, p, r, j]`.
    """

    groups: slice
    queries: slice
    keys: slice
    query: Tensor
    key: Tensor
    raw: Tensor
    bias: Tensor
    logits: Tensor
    weights: Tensor
