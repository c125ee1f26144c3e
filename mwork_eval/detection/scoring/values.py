"""Scores of value neurons where something stands between values and the output projection that is not elementwise."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch

from mwork_eval.detection.scoring.attention import Attention, RowBlock
from mwork_eval.detection.scoring.head_norm import HeadNorm

Tensor = torch.Tensor


@dataclass(frozen=True)
class Output:
    """What goes into the output projection of an attention for one document (l tokens).

    Attributes:
        inputs: `[l, channels]`.
        part: Which of the layer's attentions it is.
        heads: Number of query heads H.
        groups: Number of value heads G.
        value_layer: The layer whose values they are, or None for its own.
        norm: A norm over all channels right before the projection, whose raw channels are `[1, l, channels]`; or None.
        values: Which formula tells what zeroing a value neuron does: `plain`, `normed` (`NormedValues`), `before a
            norm` (`before_a_norm`), `replayed` or `replayed one by one` (``without``).
        without: Gives, for channels `[n]` and a value head, the inputs `[n, l, channels]` with that channel zeroed, in
            every head if no head is given; None where a formula tells.
    """

    inputs: Tensor
    part: int
    heads: int
    groups: int
    value_layer: int | None = None
    norm: HeadNorm | None = None
    values: str = "plain"
    without: Callable[[Tensor, int | None], Tensor] | None = None

    def by_group(self, inputs: Tensor) -> Tensor:
        """Return something of the inputs `[l, channels]` as `[l, G, heads of a group, d_v]`."""
        width = inputs.shape[-1] // self.heads
        found: Tensor = inputs.unflatten(-1, (self.groups, self.heads // self.groups, width))
        return found

    def by_head(self) -> Tensor:
        """Return the inputs as `[H, l, d_v]`."""
        found: Tensor = self.inputs.unflatten(-1, (self.heads, -1)).transpose(0, 1)
        return found


class NormedValues:
    r"""Adds up exact scores of v over the blocks of one document, where values are normed over each head (Gemma 4).

    Zeroing channel j lets the norm divide by less: values change by u_tj v_t - (1 + u_tj) v_tj e_j at token t, with
    1 + u the growth. With T_h = V W_h and z = P (1 + u) v_j, and all heads h, h' of a group added up before the norm,

        Imp = Σ u_jᵀ [(P_hᵀ P_h') ∘ (T_h T_h'ᵀ)] u_j - 2 Σ u_j ∘ (V W_h W_h'ᵀ)_j · P_hᵀ z_h'
              + Σ z_h z_h' (W_h W_h'ᵀ)_jj.
    """

    def __init__(self, seen: Attention, output: Tensor) -> None:
        """Start with nothing.

        Args:
            seen: The attention of a document.
            output: Weight of the output projection `[H·d_v, d_model]`.
        """
        assert seen.value_norm is not None
        groups, _, width = seen.value.shape
        self._value = seen.value.float()
        self._growth = seen.value_norm.growth()
        self._pairs = list(combinations_with_replacement(range(seen.per_group), 2))
        weights = output.float().to(self._value.device).reshape(groups, seen.per_group, width, -1)
        self._products = {(a, b): weights[:, a] @ weights[:, b].mT for a, b in self._pairs}  # [G, d_v, d_v]
        self._found = torch.zeros(groups, width, device=self._value.device)

    def add(self, rows: RowBlock) -> None:
        """Add a block of rows."""
        value = self._value[rows.groups, rows.keys]
        growth = self._growth[rows.groups, rows.keys]
        kept = (rows.weights.flatten(1, 2) @ (growth * value)).unflatten(1, rows.weights.shape[1:3])  # [g, p, r, d_v]
        moved = growth - 1
        for (one, other), product in self._products.items():
            own, times = product[rows.groups], 1 if one == other else 2
            first, second = rows.weights[:, one], rows.weights[:, other]
            values = value @ own
            both = (first.mT @ second) * (values @ value.mT)
            total = times * (moved * (both @ moved)).sum(1)
            total += times * (kept[:, one] * kept[:, other]).sum(1) * own.diagonal(dim1=1, dim2=2)
            total -= 2 * (moved * values * (first.mT @ kept[:, other])).sum(1)
            if one != other:
                total -= 2 * (moved * (value @ own.mT) * (second.mT @ kept[:, one])).sum(1)
            self._found[rows.groups] += total

    def result(self) -> Tensor:
        """Return the scores `[G·d_v]`."""
        return self._found.clamp_min(0).flatten()


def before_a_norm(output: Output, weight: Tensor) -> Tensor:
    """Score value neurons exactly where a norm over all channels stands before the output projection (BitNet).

    With n what the norm returns and ρ what it multiplies the rest by without the neuron, the output changes by
    (ρ - 1) Y - ρ Σ n_h W_h over the heads h of the neuron's group.

    Args:
        output: What goes into the projection.
        weight: Its weight `[channels, d_model]`.

    Returns:
        Scores `[G·d_v]`.
    """
    assert output.norm is not None
    inputs, weight = output.inputs.float(), weight.float().to(output.inputs.device)
    projected = inputs @ weight
    growth = torch.rsqrt((1 - output.by_group(output.norm.shares()[0]).sum(2)).clamp_min(1e-12))  # [l, G, d_v]
    crossed = output.by_group(inputs * (projected @ weight.T)).sum(2)
    own, rows = output.by_group(inputs), weight.view(output.groups, -1, growth.shape[-1], weight.shape[-1])
    removed = torch.zeros_like(growth)
    for one, other in combinations_with_replacement(range(own.shape[2]), 2):
        products = (rows[:, one] * rows[:, other]).sum(-1)
        removed += own[:, :, one] * own[:, :, other] * products * (1 if one == other else 2)
    shrunk = (growth - 1).square() * projected.square().sum(-1)[:, None, None]
    found = shrunk - 2 * (growth - 1) * growth * crossed + growth.square() * removed
    return found.sum(0).clamp_min(0).flatten()


def replayed_values(output: Output, weight: Tensor, memory: int) -> Tensor:
    """Score value neurons by what the module gives without them.

    Args:
        output: What goes into the projection.
        weight: Its weight `[channels, d_model]`.
        memory: Bytes that this may take.

    Returns:
        Scores `[G·d_v]`.
    """
    assert output.without is not None
    inputs, weight = output.inputs.float(), weight.float().to(output.inputs.device)
    width = inputs.shape[-1] // output.heads
    found = torch.zeros(output.groups, width, device=inputs.device)
    chunk = max(1, memory // (4 * 8 * max(inputs.numel(), len(inputs) * weight.shape[-1])))
    rows = weight.view(output.groups, -1, weight.shape[-1])
    for channels in torch.arange(width).split(chunk):
        if output.values == "replayed":
            change = (output.without(channels, None).float() - inputs).unflatten(-1, (output.groups, -1))
            for group in range(output.groups):
                found[group, channels] = (change[:, :, group] @ rows[group]).square().sum((1, 2))
            continue
        for group in range(output.groups):
            found[group, channels] = ((output.without(channels, group).float() - inputs) @ weight).square().sum((1, 2))
    return found.flatten()
