r"""The scores: how much a layer's output changes when one neuron is deactivated.

Imp(N|c) = ‖T\N(x) - T(x)‖², the squared Frobenius norm over the tokens and channels of one document
(Eq. 1, arXiv:2402.18815). All functions sum over tokens, take one document without padding, and
return float32. Shapes: l tokens, H query heads, G key/value heads, d head dimension.
"""

import math

import torch

Tensor = torch.Tensor

_MOMENT_TERMS = 12
"""Terms of the power series of e^x.

Measured on Gemma 3 270M at 128 tokens against recomputing: relative error 5e-7 in the median and below 1e-4 for
99.9 % of the neurons; the largest, 3e-2, is at scores so small that float32 cancels.
"""
_MOMENT_LIMIT = 1.0
"""Largest |a|·|b| for which the power series is used; dimensions beyond it take the exact path."""


def feed_forward_scores(hidden: Tensor, down: Tensor) -> Tensor:
    """Score feed-forward neurons (Eq. 4-5), exactly.

    Deactivating neuron k removes the rank-1 matrix h[:, k] ⊗ W_down[:, k]. The same number holds for row k
    of gate, row k of up and column k of down. The reference code scores Σ|x W_up| here.

    Args:
        hidden: Input of the down projection, `[l, d_inter]`.
        down: Weight of the down projection, `[d_model, d_inter]`.

    Returns:
        Scores `[d_inter]`.
    """
    return _squares(hidden, 0) * _squares(down, 0)


def output_scores(heads: Tensor, output: Tensor) -> Tensor:
    """Score the columns of the output projection, exactly: ‖O_h[:, j]‖² ‖W_O[(h, j)]‖².

    Args:
        heads: Attention output per head, `[H, l, d]`.
        output: Weight of the output projection, `[d_model, H·d]`.

    Returns:
        Scores `[H·d]`, in the order of the columns.
    """
    return _squares(heads, 1).reshape(-1) * _squares(output, 0)


def value_scores(heads: Tensor, output: Tensor, groups: int) -> Tensor:
    """Score value neurons, exactly, also under grouped-query attention.

    A value neuron (g, j) feeds every query head of its group, so the removed parts add up before the norm:
    Imp = Σ_{h,h'} ⟨O_h[:, j], O_h'[:, j]⟩ ⟨W_O[(h, j)], W_O[(h', j)]⟩. Taking h = h' alone is wrong.

    Args:
        heads: Attention output per head, `[H, l, d]`.
        output: Weight of the output projection, `[d_model, H·d]`.
        groups: G, the number of key/value heads.

    Returns:
        Scores `[G·d]`.
    """
    count, tokens, width = heads.shape
    per_group = heads.float().reshape(groups, count // groups, tokens, width)
    weights = output.float().reshape(-1, groups, count // groups, width)
    of_outputs = torch.einsum("gald,gbld->gdab", per_group, per_group)
    of_weights = torch.einsum("mgad,mgbd->gdab", weights, weights)
    return (of_outputs * of_weights).sum((-2, -1)).clamp_min(0).reshape(-1)


def query_key_scores(
    query: Tensor, key: Tensor, mask: Tensor | None, *, scale: float, softcap: float | None = None, chunk: int = 16
) -> tuple[Tensor, Tensor]:
    """Score query and key neurons by the paper's formula on the attention weights (Eq. 8-10).

    Δ_k = scale · q[:, k] k[:, k]ᵀ and Imp(Q_{h,k}) = ‖softmax(S_h) - softmax(S_h - Δ_k)‖²;
    Imp(K_{g,k}) sums it over the query heads of group g. Scores are taken under the model's own mask, scale
    and soft-cap, on rotated and normalised queries and keys. The reference code leaves out the scale and
    holds all l·l·d maps at once; here most dimensions need matrix products only, and the others are computed
    ``chunk`` maps at a time.

    Args:
        query: `[H, l, d]`.
        key: `[G, l, d]`.
        mask: Additive mask `[l, l]`, or None for plain causal attention.
        scale: Factor of the attention scores.
        softcap: Cap of the attention scores (Gemma 2), or None.
        chunk: Number of l × l maps held at a time.

    Returns:
        Scores of q `[H·d]` and of k `[G·d]`.
    """
    query, key = query.float(), key.float()
    heads, tokens, width = query.shape
    per_group = heads // key.shape[0]
    bias = _causal(tokens, query.device) if mask is None else mask.float()
    scores = query.new_empty(heads, width)
    for head in range(heads):
        a = scale * query[head]  # [l, d]
        b = key[head // per_group]  # [l, d]
        raw = a @ b.T  # [l, l]
        weights = _attention(raw, bias, softcap)
        # Softmax ignores a shift of a row, so b may be centred; that keeps the exponents small.
        centred = b - b.mean(0)
        exact = torch.ones(width, dtype=torch.bool, device=query.device)
        if softcap is None:
            exact = a.abs().amax(0) * centred.abs().amax(0) > _MOMENT_LIMIT
            scores[head] = _by_moments(weights, a, centred)
        for dims in torch.split(exact.nonzero().flatten(), chunk):
            scores[head, dims] = _by_recomputing(raw, weights, bias, a[:, dims], b[:, dims], softcap)
    return scores.reshape(-1), scores.reshape(-1, per_group, width).sum(1).reshape(-1)


def _by_recomputing(raw: Tensor, weights: Tensor, bias: Tensor, a: Tensor, b: Tensor, softcap: float | None) -> Tensor:
    """Recompute the attention weights without each of a few dimensions: `[l, n]`, `[l, n]` to `[n]`."""
    without = raw - a.T[:, :, None] * b.T[:, None, :]  # [n, l, l]
    return (_attention(without, bias, softcap) - weights).square().sum((-2, -1))


def _by_moments(weights: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Score all dimensions from matrix products of the attention weights P.

    With u = e^{-ab} - 1 the new weights differ by P(u - m)/(1 + m), m = ΣP u over the keys, so a query's
    share is (ΣP²u² - 2mΣP²u + m²ΣP²)/(1 + m)². ΣP uⁿ and ΣP²uⁿ are power series in a with the coefficients
    P bⁿ and P² bⁿ.
    """
    tokens, width = b.shape
    powers = torch.stack([b**n for n in range(1, _MOMENT_TERMS + 1)])  # [terms, l, d]
    flat = powers.transpose(0, 1).reshape(tokens, -1)
    squared = weights.square()
    first = (weights @ flat).reshape(tokens, _MOMENT_TERMS, width)
    second = (squared @ flat).reshape(tokens, _MOMENT_TERMS, width)
    m, p2u, p2u2 = (torch.zeros_like(a) for _ in range(3))
    power = torch.ones_like(a)
    for n in range(1, _MOMENT_TERMS + 1):
        power = power * -a
        m += power * first[:, n - 1] / math.factorial(n)
        p2u += power * second[:, n - 1] / math.factorial(n)
        p2u2 += power * second[:, n - 1] * ((2**n - 2) / math.factorial(n))  # (e^x - 1)² = e^2x - 2e^x + 1
    p2 = squared.sum(-1, keepdim=True)
    return ((p2u2 - 2 * m * p2u + m.square() * p2) / (1 + m).square()).clamp_min(0).sum(0)


def _attention(raw: Tensor, bias: Tensor, softcap: float | None) -> Tensor:
    capped = raw if softcap is None else softcap * torch.tanh(raw / softcap)
    return torch.softmax(capped + bias, -1)


def _causal(tokens: int, device: torch.device) -> Tensor:
    return torch.full((tokens, tokens), -math.inf, device=device).triu(1)


def _squares(matrix: Tensor, dim: int) -> Tensor:
    return matrix.float().square().sum(dim)
