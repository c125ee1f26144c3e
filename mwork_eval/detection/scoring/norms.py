"""Root-mean-square norms inside a feed-forward: what a neuron changes through them, in closed form."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor

_EPSILONS = ("eps", "variance_epsilon", "epsilon")


@dataclass(frozen=True)
class RootMeanSquare:
    """A norm y = w x / sqrt(mean(x²) + ε) over the last axis.

    Attributes:
        module: The norm.
        epsilon: ε.
        weight: w, float32 `[d]`.
    """

    module: nn.Module
    epsilon: float
    weight: Tensor

    @classmethod
    def of(cls, module: nn.Module, tolerance: float) -> "RootMeanSquare | None":
        """Return a module as such a norm, or None if it computes something else."""
        plain: Any = module
        epsilon = next((float(e) for name in _EPSILONS if (e := getattr(plain, name, None)) is not None), None)
        size: Tensor | None = getattr(plain, "weight", None)
        if epsilon is None or size is None or size.ndim != 1:
            return None
        probe = torch.randn(3, len(size), generator=torch.Generator().manual_seed(0)).to(size)
        with torch.no_grad():
            found = module.forward(probe).float()
        raw = found / probe.float() * (probe.float().square().mean(-1, keepdim=True) + epsilon).sqrt()
        weight = raw.mean(0)
        same = (raw - weight).abs().max() <= 10 * tolerance * weight.abs().max()
        return cls(module, epsilon, weight) if same else None

    def squares(self, states: Tensor) -> Tensor:
        """Return mean(x²) + ε of states `[n, d]`: `[n, 1]`."""
        return states.float().square().mean(-1, keepdim=True) + self.epsilon


def changes_before(norm: RootMeanSquare, inner: Tensor, down: Tensor) -> Tensor:
    """Score neurons that a norm divides with the others before the last product, exactly.

    Without x_k the root mean square falls by 1/ρ_k, so everything else grows: the output changes by
    (ρ_k - 1) Y - ρ_k y_k W_k.

    Args:
        norm: The norm.
        inner: x, what goes into it `[n, d_inter]`.
        down: W of the last product `[d_inter, d_model]`.

    Returns:
        Squared change per row `[n, d_inter]`.
    """
    inner, down = inner.float(), down.float()
    square = norm.squares(inner)
    normed = inner * square.rsqrt() * norm.weight
    output = normed @ down
    without = (square - inner.square() / inner.shape[-1]).clamp_min(norm.epsilon)
    ratio = (square / without).sqrt()
    found = (ratio - 1).square() * output.square().sum(-1, keepdim=True)
    found -= 2 * (ratio - 1) * ratio * normed * (output @ down.T)
    return found + (ratio * normed).square() * down.square().sum(-1)


def changes_after(norm: RootMeanSquare, total: Tensor, hidden: Tensor, down: Tensor) -> Tensor:
    """Score neurons whose output is normed together with all else that a block adds up, exactly.

    With S the sum and S' = S - h_k W_k, the output changes by w (S'/rms' - S/rms).

    Args:
        norm: The norm.
        total: S `[n, d_model]`.
        hidden: h, times what its product is multiplied by `[n, d_inter]`.
        down: W `[d_inter, d_model]`.

    Returns:
        Squared change per row `[n, d_inter]`.
    """
    total, hidden, down = total.float(), hidden.float(), down.float()
    scaled = total * norm.weight.square()
    square = norm.squares(total)
    along = hidden * (total @ down.T)
    without = square + (hidden.square() * down.square().sum(-1) - 2 * along) / total.shape[-1]
    inverse = without.clamp_min(norm.epsilon).rsqrt()
    # 1/rms' - 1/rms, without the cancellation where the two are near each other.
    factor = (square - without) * inverse * square.rsqrt() / (square.sqrt() + without.clamp_min(norm.epsilon).sqrt())
    found = factor.square() * (total * scaled).sum(-1, keepdim=True)
    found -= 2 * factor * inverse * hidden * (scaled @ down.T)
    return found + (inverse * hidden).square() * (down * norm.weight).square().sum(-1)
