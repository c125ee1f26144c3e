"""What the paper's published code computes, for comparison with its paper.

It scores the feed-forward by Σ|x W_up| and values by Σ|O|, leaves the scale out of Q and K, and knows no soft-cap.
Of grouped queries it only knows groups of four; here every group's heads add up. It has no score of o, which gets Σ|O|.
"""

import torch

from mwork_eval.detection.scoring.attention import RowBlock, softmax
from mwork_eval.detection.scoring.paper import PaperQueryKey

Tensor = torch.Tensor


class ReferenceQueryKey(PaperQueryKey):
    """The paper's scores on attention weights computed without a scale."""

    moments = False

    def _scale(self) -> float:
        return 1.0

    def _scores(self, rows: RowBlock) -> tuple[Tensor, Tensor]:
        raw = rows.raw / self._seen.scale
        return raw, self._attend(raw, rows.bias, rows.sink)

    def _attend(self, raw: Tensor, bias: Tensor, sink: Tensor | None) -> Tensor:
        return softmax(raw + bias, sink)


def absolute_sum(activations: Tensor) -> Tensor:
    """Return Σ|x| over the tokens: `[l, n]` to `[n]`."""
    return activations.float().abs().sum(0)


def absolute_sum_of_values(heads: Tensor, groups: int) -> Tensor:
    """Return Σ|O| per value neuron over tokens and the group's heads: `[H, l, d]` to `[G·d]`."""
    by_group: Tensor = heads.float().abs().sum(1).unflatten(0, (groups, -1))
    return by_group.sum(1).flatten()
