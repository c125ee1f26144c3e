"""Exact scores of query and key neurons without any expansion: recompute the attention for every neuron.

For head norms that subtract a mean (Cohere's Command R+): there zeroing one channel moves all others. Slow, and right
for any norm, because the model's own norm is called.
"""

import torch

from mwork_eval.detection.scoring.attention import Attention, HeadNorm, RowBlock

Tensor = torch.Tensor


class RecomputedQueryKey:
    """Adds up the exact scores of q and k over the blocks of one document's attention."""

    def __init__(self, seen: Attention, memory: int) -> None:
        self._seen = seen
        self._memory = memory
        heads, _, width = seen.query.shape
        self.query = torch.zeros(heads, width, device=seen.query.device)
        self.key = torch.zeros(len(seen.key), width, device=seen.query.device)

    def add(self, rows: RowBlock) -> None:
        """Add a block of rows."""
        seen, width = self._seen, self.query.shape[-1]
        per_group, groups = seen.per_group, torch.arange(len(seen.key))[rows.groups].tolist()
        chunk = max(1, self._memory // (4 * 4 * max(seen.query.numel(), rows.raw.numel())))
        for channels in torch.arange(width, device=self.query.device).split(chunk):
            queries, keys = self._without(seen.query_norm, channels), self._without(seen.key_norm, channels)
            for place, group in enumerate(groups):
                heads = slice(group * per_group, (group + 1) * per_group)
                query = queries[:, heads, rows.queries]  # [n, p, r, d]
                change = self._change(rows, place, query @ rows.key[place].mT)
                self.query[heads, channels] += change.T
                key = keys[:, group, None, rows.keys]  # [n, 1, j, d]
                self.key[group, channels] += self._change(rows, place, rows.query[place] @ key.mT).sum(1)

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the scores of q `[H·d]` and of k `[G·d]`."""
        return self.query.flatten(), self.key.flatten()

    def _without(self, norm: HeadNorm | None, channels: Tensor) -> Tensor:
        """Return the rotated vectors with each of n channels zeroed before the norm, `[n, heads, l, d]`."""
        assert norm is not None
        raw = norm.raw.expand(len(channels), -1, -1, -1).clone()
        raw[torch.arange(len(channels), device=raw.device), :, :, channels] = 0
        return self._seen.rotation.apply(norm.module(raw.transpose(1, 2)).transpose(1, 2).float())

    def _change(self, rows: RowBlock, place: int, product: Tensor) -> Tensor:
        """Return ‖P' - P‖² per channel and head from unscaled scores `[n, p, r, j]`."""
        logits = self._seen.capped(self._seen.scale * product) + rows.bias[place]
        return (torch.softmax(logits, -1) - rows.weights[place]).square_().sum((-2, -1))
