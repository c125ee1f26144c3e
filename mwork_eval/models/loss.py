"""The loss of a causal language model, without a matrix of logits."""

from typing import Any

import torch
from torch import nn

from mwork_eval.models.head import BLOCK_BYTES, ELSEWHERE_BYTES, OutputHead
from mwork_eval.models.linear import linear

Tensor = torch.Tensor


def next_token_losses(head: OutputHead, states: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each target, in nats `[n]`; gradients flow into the states, not into the head.

    Where the head is a plain matrix, a part of the vocabulary at a time goes through it, and the gradient (the expected
    output embedding minus the target's) is summed up on the way: two products instead of three, and no logits kept.

    Args:
        head: The output head, whose weights are not trained.
        states: Hidden states `[n, d_model]`.
        targets: The token after each of them `[n]`.
    """
    weight = head.plain_weight
    if weight is None or head.module.bias is not None or head.finishes:
        return nn.functional.cross_entropy(head.logits(states).float(), targets, reduction="none")
    losses: Tensor = _CrossEntropy.apply(states, weight, targets)  # type: ignore[no-untyped-call]
    return losses


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy over a vocabulary, part by part."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:  # type: ignore[override]
        best = torch.full((len(states),), -torch.inf, device=states.device)
        total = torch.zeros_like(best)
        expected = torch.zeros(len(states), weight.shape[1], device=states.device)
        size = BLOCK_BYTES.get(states.device.type, ELSEWHERE_BYTES)
        words = max(1, size // (max(1, len(states)) * 4))
        for start in range(0, len(weight), words):
            part = weight[start : start + words].to(states.dtype)
            logits = linear(states, part).float()
            top = torch.maximum(best, logits.amax(-1))
            shares, shrink = logits.sub_(top[:, None]).exp_(), torch.exp(best - top)
            total = total * shrink + shares.sum(-1)
            expected.mul_(shrink[:, None]).add_(linear(shares.to(states.dtype), part.T).float())
            best = top
        chosen = weight[targets].float()
        ctx.save_for_backward((expected / total[:, None] - chosen).to(states.dtype))
        return best + total.log() - (states.float() * chosen).sum(-1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (direction,) = ctx.saved_tensors
        return gradient[:, None].to(direction.dtype) * direction, None, None
