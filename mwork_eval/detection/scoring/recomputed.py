"""Exact scores of query and key neurons without any expansion: recompute the attention for every neuron.

For norms that subtract a mean (Cohere's Command R+), where zeroing one channel moves all others, and for whatever else
lies between a projection and attention that no formula tells. Slow, and right for anything.
"""

import torch

from mwork_eval.detection.scoring.attention import Attention, RowBlock, softmax
from mwork_eval.detection.scoring.expansion import Response
from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor


class RecomputedQueryKey:
    """Computes the exact scores of q and k once the blocks of one document's attention are known."""

    def __init__(self, seen: Attention, memory: int) -> None:
        self._seen = seen
        self._memory = memory
        heads, _, width = seen.query.shape
        self.query = torch.zeros(heads, width, device=seen.query.device)
        self.key = torch.zeros(len(seen.key), width, device=seen.query.device)

    def add(self, rows: RowBlock) -> None:
        """Add a block of rows: nothing, since every neuron takes all of them once more."""

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the scores of q `[H·d]` and of k `[G·d]`."""
        seen, width = self._seen, self.query.shape[-1]
        tokens = seen.query.shape[1]
        chunk = max(1, self._memory // (4 * 8 * max(seen.query.numel(), seen.per_group * 64 * tokens)))
        for channels in torch.arange(width, device=self.query.device).split(chunk):
            for head in (None,) if seen.together else range(len(seen.query)):
                queries, keys = self._without(channels, head)
                for rows in seen.blocks(self._memory // 2):
                    self._add(rows, channels, queries, keys, head)
        return self.query.flatten(), self.key.flatten()

    def _add(self, rows: RowBlock, channels: Tensor, queries: Tensor, keys: Tensor, head: int | None) -> None:
        per_group = self._seen.per_group
        for place, group in enumerate(range(rows.groups.start, rows.groups.stop)):
            heads = slice(group * per_group, (group + 1) * per_group)
            query = queries[:, heads, rows.queries].float()  # [n, p, r, d]
            change = self._change(rows, place, query @ rows.key[place].mT)
            if head is None:
                self.query[heads, channels] += change.T
            else:
                self.query[head, channels] += change.sum(1)
            if head is not None and head >= len(self.key):
                continue
            key = keys[:, group, None, rows.keys].float()  # [n, 1, j, d]
            of_group = self._change(rows, place, rows.query[place] @ key.mT).sum(1)
            self.key[group if head is None else head, channels] += of_group

    def _without(self, channels: Tensor, head: int | None) -> tuple[Tensor, Tensor]:
        """Return queries and keys with each of n channels zeroed in every head, or in one, `[n, heads, l, d]`."""
        seen = self._seen
        if seen.without is not None:
            return seen.without(channels, head)
        return (
            without(seen.query, seen.query_norm, seen.rotation, channels),
            without(seen.key, seen.key_norm, seen.key_rotation or seen.rotation, channels),
        )

    def _change(self, rows: RowBlock, place: int, product: Tensor) -> Tensor:
        """Return ‖P' - P‖² per channel and head from unscaled scores `[n, p, r, j]`."""
        logits = self._seen.capped(self._seen.scale * product) + rows.bias[place]
        sink = None if rows.sink is None else rows.sink[place]
        return (softmax(logits, sink) - rows.weights[place]).square_().sum((-2, -1))


def without(states: Tensor, norm: HeadNorm | None, rotation: Rotation, channels: Tensor) -> Tensor:
    """Return queries or keys with each of n channels zeroed in every head, by a formula.

    Args:
        states: As attention gets them `[heads, l, d]`.
        norm: Their norm, which runs over each head.
        rotation: Their rotation.
        channels: `[n]`.

    Returns:
        `[n, heads, l, d]`.
    """
    if norm is not None and norm.centres:
        return rotation.apply(norm.without(channels).float())
    response = Response.of(states, norm, rotation, 1.0)
    changed = states.float().repeat(len(channels), 1, 1, 1)
    for number, channel in enumerate(channels.tolist()):
        if response.shrink is not None:
            changed[number] *= 1 - response.shrink[:, :, channel, None]
        changed[number, :, :, channel] -= response.along[:, :, channel]
        if (partner := int(rotation.partner[channel])) != channel:
            changed[number, :, :, partner] -= response.across[:, :, channel]
    return changed
