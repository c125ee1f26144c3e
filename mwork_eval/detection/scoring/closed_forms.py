r"""The closed-form scores: how much a layer's output changes when one neuron is deactivated.

Imp(N|c) = ‖T\N(x) - T(x)‖², the squared Frobenius norm over the tokens and channels of one document
(Eq. 1, arXiv:2402.18815). All functions sum over tokens, take one document without padding, and
return float32. Shapes: l tokens, H query heads, G key/value heads, d head dimension. Weights are
`[neurons, features]`: columns of the output and down projections, one after the other.
"""

from itertools import combinations_with_replacement

import torch

Tensor = torch.Tensor


def feed_forward_scores(hidden: Tensor, down_squares: Tensor) -> Tensor:
    """Score feed-forward neurons (Eq. 4-5), exactly: ‖h[:, k]‖² ‖W_down[:, k]‖².

    Deactivating neuron k removes the rank-1 matrix h[:, k] ⊗ W_down[:, k]. The same number holds for row k
    of gate, row k of up and column k of down. The reference code scores Σ|x W_up| here.

    Args:
        hidden: Input of the down projection, `[l, d_inter]`.
        down_squares: ‖W_down[:, k]‖² of every neuron, `[d_inter]`.

    Returns:
        Scores `[d_inter]`.
    """
    return squares(hidden, 0) * down_squares


def output_scores(heads: Tensor, output: Tensor) -> Tensor:
    """Score the columns of the output projection, exactly: ‖O_h[:, j]‖² ‖W_O[(h, j)]‖².

    Args:
        heads: Attention output per head, `[H, l, d]`.
        output: Weight of the output projection, `[H·d, d_model]`.

    Returns:
        Scores `[H·d]`, in the order of the columns.
    """
    return squares(heads, 1).reshape(-1) * squares(output, 1)


def value_scores(heads: Tensor, output: Tensor, groups: int) -> Tensor:
    """Score value neurons, exactly, also under grouped-query attention.

    A value neuron (g, j) feeds every query head of its group, so the removed parts add up before the norm:
    Imp = Σ_{h,h'} ⟨O_h[:, j], O_h'[:, j]⟩ ⟨W_O[(h, j)], W_O[(h', j)]⟩. Taking h = h' alone is wrong.

    Args:
        heads: Attention output per head, `[H, l, d]`.
        output: Weight of the output projection, `[H·d, d_model]`.
        groups: G, the number of key/value heads.

    Returns:
        Scores `[G·d]`.
    """
    if groups == len(heads):
        return output_scores(heads, output)
    per_group = heads.float().unflatten(0, (groups, -1))  # [G, p, l, d]
    weights = output.float().reshape(*per_group.shape[:2], heads.shape[-1], -1)  # [G, p, d, d_model]
    found = torch.zeros(groups, heads.shape[-1], device=heads.device)
    members = per_group.shape[1]
    for one, other in combinations_with_replacement(range(members), 2):
        of_outputs = (per_group[:, one] * per_group[:, other]).sum(1)
        of_weights = (weights[:, one] * weights[:, other]).sum(-1)
        found += of_outputs * of_weights * (1 if one == other else 2)
    return found.clamp_min(0).reshape(-1)


def squares(matrix: Tensor, dim: int) -> Tensor:
    """Sum the squares along a dimension, in float32."""
    return matrix.float().square().sum(dim)
