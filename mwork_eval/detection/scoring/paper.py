"""Scores of query and key neurons by the paper's formula on the attention weights (Eq. 8-10).

Δ_k = scale · q[:, k] k[:, k]ᵀ and Imp(Q_{h,k}) = ‖softmax(S_h) - softmax(S_h - Δ_k)‖²; Imp(K_{g,k}) sums it over
the query heads of group g. Taken on rotated and normalised queries and keys, under the model's own mask, scale and
soft-cap. Removing a rotated channel is not what zeroing a row of the weight matrix does (`exact`).
"""

import math

import torch

from mwork_eval.detection.scoring.attention import Attention, RowBlock, softmax

Tensor = torch.Tensor

_MOMENT_TERMS = 12
"""Terms of the power series of e^x.

Measured on Gemma 3 270M at 128 tokens against recomputing: relative error 5e-7 in the median and below 1e-4 for
99.9 % of the neurons; the largest, 3e-2, is at scores so small that float32 cancels.
"""
_MOMENT_LIMIT = 1.0
"""Largest |a|·|b| for which the power series is used; channels beyond it are recomputed."""


class PaperQueryKey:
    """Adds up the paper's scores of q and k over the blocks of one document's attention."""

    moments = True

    def __init__(self, seen: Attention, memory: int) -> None:
        self._seen = seen
        self._memory = memory
        heads, _, width = seen.query.shape
        self.query = torch.zeros(heads, width, device=seen.query.device)

    def add(self, rows: RowBlock) -> None:
        """Add a block of rows."""
        groups, per_group = rows.raw.shape[:2]
        raw, weights = self._scores(rows)
        for group in range(groups):
            for member in range(per_group):
                head = (rows.groups.start + group) * per_group + member
                self.query[head] += self._head(
                    raw[group, member],
                    weights[group, member],
                    rows.bias[group, member],
                    self._scale() * rows.query[group, member],
                    rows.key[group],
                    None if rows.sink is None else rows.sink[group, member],
                )

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the scores of q `[H·d]` and of k `[G·d]`."""
        return self.query.flatten(), self.query.unflatten(0, (-1, self._seen.per_group)).sum(1).flatten()

    def _scale(self) -> float:
        return self._seen.scale

    def _scores(self, rows: RowBlock) -> tuple[Tensor, Tensor]:
        return rows.raw, rows.weights

    def _attend(self, raw: Tensor, bias: Tensor, sink: Tensor | None) -> Tensor:
        return softmax(self._seen.capped(raw) + bias, sink)

    def _head(self, raw: Tensor, weights: Tensor, bias: Tensor, a: Tensor, b: Tensor, sink: Tensor | None) -> Tensor:
        """Score one head's channels: `[r, j]` three times, a `[r, d]`, b `[j, d]`, to `[d]`."""
        # Softmax over keys alone ignores a shift of a row, so b may be centred; that keeps the exponents small.
        centred = b - b.mean(0) if sink is None else b
        found = torch.zeros(a.shape[-1], device=a.device)
        exact = torch.ones_like(found, dtype=torch.bool)
        if self.moments and self._seen.softcap is None:
            exact = a.abs().amax(0) * centred.abs().amax(0) > _MOMENT_LIMIT
            found = _by_moments(weights, a, centred)
        chunk = max(1, self._memory // (12 * raw.numel()))
        for dims in torch.split(exact.nonzero().flatten(), chunk):
            without = raw - a.T[dims, :, None] * b.T[dims, None, :]  # [n, r, j]
            found[dims] = (self._attend(without, bias, sink) - weights).square_().sum((-2, -1))
        return found


def _by_moments(weights: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Score all channels from matrix products of the attention weights P.

    With u = e^{-ab} - 1 the new weights differ by P(u - m)/(1 + m), m = ΣP u over the keys, so a query's
    share is (ΣP²u² - 2mΣP²u + m²ΣP²)/(1 + m)². ΣP uⁿ and ΣP²uⁿ are power series in a with the coefficients
    P bⁿ and P² bⁿ.
    """
    tokens, width = b.shape
    powers = torch.stack([b**n for n in range(1, _MOMENT_TERMS + 1)])  # [terms, j, d]
    flat = powers.transpose(0, 1).reshape(tokens, -1)
    squared = weights.square()
    first = (weights @ flat).unflatten(1, (_MOMENT_TERMS, width))
    second = (squared @ flat).unflatten(1, (_MOMENT_TERMS, width))
    m, p2u, p2u2 = (torch.zeros_like(a) for _ in range(3))
    power = torch.ones_like(a)
    for n in range(1, _MOMENT_TERMS + 1):
        power = power * -a
        m += power * first[:, n - 1] / math.factorial(n)
        p2u += power * second[:, n - 1] / math.factorial(n)
        p2u2 += power * second[:, n - 1] * ((2**n - 2) / math.factorial(n))  # (e^x - 1)² = e^2x - 2e^x + 1
    p2 = squared.sum(-1, keepdim=True)
    return ((p2u2 - 2 * m * p2u + m.square() * p2) / (1 + m).square()).clamp_min(0).sum(0)
