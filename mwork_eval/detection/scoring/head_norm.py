"""The norm of queries, keys or values over the channels of a head."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor

_EPSILONS = ("variance_epsilon", "eps", "epsilon", "norm_eps")


@dataclass(frozen=True)
class HeadNorm:
    """A norm over the channels of a head, or of all heads.

    Attributes:
        raw: What comes out of the projection `[heads, l, d]`.
        module: The norm.
        spans_heads: Whether it runs over all heads at once (OLMo 2) rather than over each.
        centres: Whether it is none that divides by the root of the mean square alone: if it also subtracts the mean
            (Cohere), zeroing one channel moves all others.
        gains: Its weights `[d]` where it stands after the rotation, where they do not turn with the channels; else
            None.
        heads_first: Whether it gets heads before tokens.
    """

    raw: Tensor
    module: nn.Module
    spans_heads: bool
    centres: bool = False
    gains: Tensor | None = None
    heads_first: bool = False

    def shares(self) -> Tensor:
        """Return each channel's share of the mean square that the norm divides by, `[heads, l, d]`, below 1."""
        squares = self.raw.float().square()
        return squares / self._sum_of(squares).clamp_min(1e-30)

    def growth(self) -> Tensor:
        """Return what the norm multiplies the rest by once a channel is zeroed, `[heads, l, d]`, at least 1."""
        return torch.rsqrt((1 - self.shares()).clamp_min(1e-12))

    def divided(self) -> Tensor:
        """Return the channels divided by the root of their mean square, `[heads, l, d]`."""
        raw = self.raw.float()
        return raw * torch.rsqrt((self._sum_of(raw.square()) / self._count).clamp_min(1e-30))

    def of(self, heads: slice | int, tokens: slice) -> Tensor:
        """Return the raw channels of some heads and tokens."""
        return self.raw[heads, tokens]

    def without(self, channels: Tensor) -> Tensor:
        """Return what the norm makes of the raw channels with each of n zeroed in every head, `[n, heads, l, d]`."""
        raw = self.raw.expand(len(channels), -1, -1, -1).clone()
        raw[torch.arange(len(channels), device=raw.device), :, :, channels] = 0
        if self.heads_first:
            together: Tensor = self.module(raw)
            return together
        found: Tensor = self.module(raw.transpose(1, 2)).transpose(1, 2)
        return found

    @property
    def _count(self) -> int:
        return self.raw.shape[2] * (self.raw.shape[0] if self.spans_heads else 1)

    def _sum_of(self, squares: Tensor) -> Tensor:
        dims = (0, 2) if self.spans_heads else (2,)
        return squares.sum(dims, keepdim=True) + epsilon_of(self.module) * self._count


def epsilon_of(module: Any) -> float:
    """Return what a norm adds to the mean square."""
    values = (getattr(module, name, None) for name in _EPSILONS)
    return next((float(value) for value in values if isinstance(value, int | float)), 0.0)
