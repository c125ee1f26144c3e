"""Attention of one document, computed in blocks of rows that several scores share.

Only one block of attention weights exists at a time, so the memory is bounded whatever the document's length.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor

_MATRICES = 16
"""Matrices of the size of a block of attention weights, of its rows and of its keys that scoring holds at once."""
_MOST_ROWS = 64
"""More rows gain nothing on a CPU: a block skips the keys after its last row, and larger blocks skip less."""

Without = Callable[[Tensor, int | None], tuple[Tensor, Tensor]]
"""Gives, for channels `[n]` and a head, the queries `[n, H, l, d]` and keys `[n, G, l, d]` with that channel zeroed.

If no head is given, each of the n has the channel zeroed in every head.
"""


@dataclass(frozen=True)
class Attention:
    """What one layer's attention sees of one document (l tokens, H query and G key/value heads).

    Attributes:
        query: Rotated and normalised queries `[H, l, d]`.
        key: Rotated and normalised keys `[G, l, d]`.
        value: Values `[G, l, d_v]`.
        rotation: The rotation in the queries.
        query_norm: Norm of the queries, or None.
        key_norm: Norm of the keys, or None.
        window: Number of tokens that a row sees, itself included, or None for all up to itself.
        key_bias: Added to the scores of each head and key `[H, l]` (ALiBi), or None.
        scale: Factor of the attention scores.
        softcap: Cap of the attention scores, or None.
        key_rotation: The rotation in the keys, which pairs the same channels; None if it is that of the queries.
        mask: Added to the scores of each row and key, in place of ``window``: `[1 or H, l, l]`, or None.
        sink: Logit of each head and row that takes part in the softmax and is no key `[H, 1 or l]`, or None.
        without: What becomes of queries and keys without a channel, where no formula tells; or None.
        together: Whether ``without`` may zero a channel in every head at once, because no head depends on another.
        value_norm: Norm of the values over each head, or None.
        part: Which of the layer's attentions it is.
        key_layer: The layer whose keys and values they are, or None for its own.
        key_width: How many channels of each key head have neurons; the rest is shared by all heads.
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
    key_rotation: Rotation | None = None
    mask: Tensor | None = None
    sink: Tensor | None = None
    without: Without | None = None
    together: bool = True
    value_norm: HeadNorm | None = None
    part: int = 0
    key_layer: int | None = None
    key_width: int | None = None

    @property
    def per_group(self) -> int:
        """Number of query heads that share a key head."""
        return self.query.shape[0] // self.key.shape[0]

    @property
    def biased(self) -> bool:
        """Whether something is added to the scores of keys that are seen."""
        return self.key_bias is not None or self.mask is not None

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
        count = groups.stop - groups.start
        query = self.query.unflatten(0, (-1, self.per_group))[groups, :, start:stop].float()
        key = self.key[groups, keys].float()
        raw = self.scale * (query.flatten(1, 2) @ key.mT).reshape(count, self.per_group, stop - start, -1)
        if self.mask is None:
            bias = self.bias(slice(start, stop), keys)
        else:
            bias = self._of_groups(self.mask, groups)[:, :, start:stop, keys].float()
        if self.key_bias is not None:
            bias = bias + self._of_groups(self.key_bias, groups)[:, :, None, keys].float()
        logits = self.capped(raw) + bias
        sink = None
        if self.sink is not None:
            of_rows = self.sink.expand(-1, self.query.shape[1]) if self.sink.shape[1] == 1 else self.sink
            sink = self._of_groups(of_rows, groups)[:, :, start:stop, None].float()
        weights = softmax(logits, sink)
        bias = bias.expand_as(raw)
        return RowBlock(groups, slice(start, stop), keys, query, key, raw, bias, logits, weights, sink)

    def _of_groups(self, of_heads: Tensor, groups: slice) -> Tensor:
        """Return the part `[g or 1, p or 1, ...]` of a tensor `[H or 1, ...]` that belongs to some groups."""
        if len(of_heads) == 1:
            return of_heads[None]
        part: Tensor = of_heads.unflatten(0, (-1, self.per_group))[groups]
        return part

    def bias(self, queries: slice, keys: slice) -> Tensor:
        """Return the additive mask of some tokens `[queries, keys]`: 0 where a key is seen, else the least number."""
        position = torch.arange(self.query.shape[1], device=self.query.device)
        distance = position[queries, None] - position[None, keys]
        hidden = distance < 0 if self.window is None else (distance < 0) | (distance >= self.window)
        return torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, torch.finfo(torch.float32).min)

    def capped(self, raw: Tensor) -> Tensor:
        """Apply the soft-cap to attention scores."""
        return raw if self.softcap is None else self.softcap * torch.tanh(raw / self.softcap)

    def heads(self, memory: int) -> Tensor:
        """Return the attention output per head `[H, l, d_v]`."""
        found = torch.empty(*self.query.shape[:2], self.value.shape[-1], device=self.query.device)
        by_group = found.unflatten(0, (-1, self.per_group))
        for rows in self.blocks(memory):
            by_group[rows.groups, :, rows.queries] = rows.times(self.value)
        return found


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
        sink: The logit beside them `[g, p, r, 1]`, or None.
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
    sink: Tensor | None = None

    def times(self, values: Tensor) -> Tensor:
        """Return the weighted sums `[g, p, r, d_v]` of the values of all groups and keys `[G, l, d_v]`."""
        value = values[self.groups, self.keys].float()
        found: Tensor = (self.weights.flatten(1, 2) @ value).unflatten(1, self.weights.shape[1:3])
        return found


def softmax(logits: Tensor, sink: Tensor | None) -> Tensor:
    """Return the softmax over keys, beside a further logit `[..., 1]` whose share is left out."""
    if sink is None:
        return torch.softmax(logits, -1)
    weights: Tensor = torch.softmax(torch.cat([logits, sink.expand(*logits.shape[:-1], 1)], -1), -1)
    return weights[..., :-1]
