r"""Exact scores of query and key neurons: zero a row of W_Q or W_K, recompute the attention weights (Eq. 1).

Zeroing row k of a query projection changes the scores by

    δ_ij = (1 - ρ_ik) S_ij + ρ_ik n_ik (R_i e_k · K_j) · scale,

where n is the query after its head norm and before the rotation R, and ρ = rms/rms' is what the norm, dividing by a
smaller mean square, does to the rest (1 without a norm). For a key neuron the same holds with the roles of i and j
changed. δ is a sum of three products of a row factor and a key factor, so to second order

    Imp = Σ_i Σ_j P_ij² (δ_ij - Σ_j P_ij δ_ij)²

needs matrix products of P, P² and P²·S with per-key vectors only, never an l × l map per neuron. Where the change is
too large for the second order, the row is recomputed exactly: those are the few (row, neuron) pairs whose third-order
term could move the neuron's score. The error is measured in `benchmarks/exactness.py`.
"""

from collections.abc import Callable

import torch

from mwork_eval.detection.scoring.attention import Attention, RowBlock, softmax
from mwork_eval.detection.scoring.expansion import KeyFactors, Response, RowSums, times

Tensor = torch.Tensor

_TOLERANCE = 5e-3
"""A row is recomputed if its third-order term could be more than this share of the neuron's score."""
_MOST_RECOMPUTED = 0.02
"""Largest share of the (row, neuron) pairs of a block that is recomputed, the worst first."""
_ALWAYS_RECOMPUTED = 2**17
"""A block with so few attention weights over all its neurons is recomputed as a whole: short documents cost little."""
_CROSS_HEADS = 1e-3
"""Shares of a norm over all heads below this are too small to be seen through the other heads."""


_Delta = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor | None]]


class ExactQueryKey:
    """Adds up the exact scores of q and k over the blocks of one document's attention."""

    def __init__(self, seen: Attention, memory: int) -> None:
        self._seen = seen
        self._memory = memory
        self._queries = Response.of(seen.query, seen.query_norm, seen.rotation, seen.scale)
        self._keys = Response.of(seen.key, seen.key_norm, seen.key_rotation or seen.rotation, seen.scale)
        self._factors: KeyFactors | None = None
        heads, tokens, width = seen.query.shape
        self.query = torch.zeros(heads, width, device=seen.query.device).unflatten(0, (-1, seen.per_group))
        self.key = torch.zeros(len(seen.key), width, device=seen.query.device)
        self._spread = torch.zeros(heads, tokens, device=seen.query.device).unflatten(0, (-1, seen.per_group))

    def add(self, rows: RowBlock) -> None:
        """Add a block of rows."""
        if self._factors is None or self._factors.groups != rows.groups:
            self._factors = KeyFactors.of(self._seen, self._keys, rows.groups)
        sums = RowSums.of(rows, self._factors, self._seen)
        self._add_queries(rows, sums)
        self._add_keys(rows, sums)
        if self._queries.shrink is not None and self._seen.query_norm and self._seen.query_norm.spans_heads:
            self._spread[rows.groups, :, rows.queries] = sums.spread()

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the scores of q `[H·d]` and of k `[G·d]`."""
        query = self.query.flatten(0, 1)
        norm, shrink = self._seen.query_norm, self._queries.shrink
        if norm is not None and norm.spans_heads and shrink is not None:
            spread = self._spread.flatten(0, 1)
            others = spread.sum(0) - spread  # [H, l]: a norm over all heads also rescales the other heads
            query = query + (shrink.square() * others[..., None]).sum(1)
        return query.flatten(), self.key.flatten()

    def _add_queries(self, rows: RowBlock, sums: RowSums) -> None:
        swap, response = self._seen.rotation.swap, self._queries
        along, across = _rows_of(response.along, rows), _rows_of(response.across, rows)
        first, second, square, product = sums.p["key"], sums.p2["key"], sums.p3["key²"], sums.p3["key·pair"]
        mean = torch.addcmul(along * first, across, swap(first))
        linear = torch.addcmul(along * second, across, swap(second))
        quadratic = along * torch.addcmul(along * square, across, product, value=2)
        quadratic.addcmul_(across.square(), swap(square))
        shrink = None
        if response.shrink is not None:
            shrink, mixed = _rows_of(response.shrink, rows), sums.p3s["key"]
            mean.addcmul_(shrink, sums.ps_sum)
            linear.addcmul_(shrink, sums.p2s_sum)
            mixed = torch.addcmul(along * mixed, across, swap(mixed))
            quadratic.addcmul_(shrink, torch.addcmul(2 * mixed, shrink, sums.p3ss_sum))
        share = sums.combine(mean, linear, quadratic)
        keys, partner = sums.factors.transposed("key", rows), self._seen.rotation.partner

        def delta(g: Tensor, p: Tensor, i: Tensor, k: Tensor) -> tuple[Tensor, Tensor | None]:
            low = along[g, p, i, k, None] * keys[g, k] + across[g, p, i, k, None] * keys[g, partner[k]]
            return low, None if shrink is None else shrink[g, p, i, k, None]

        self._recompute(rows, sums, share, self.query[rows.groups, :, None], 2, delta)
        self.query[rows.groups] += share.sum(2)

    def _add_keys(self, rows: RowBlock, sums: RowSums) -> None:
        own, other = rows.query, self._seen.rotation.swap(rows.query)
        mean = torch.addcmul(own * sums.p["along"], other, sums.p["across"])
        linear = torch.addcmul(own * sums.p2["along"], other, sums.p2["across"])
        quadratic = own * torch.addcmul(own * sums.p3["along²"], other, sums.p3["along·across"], value=2)
        quadratic.addcmul_(other.square(), sums.p3["across²"])
        if sums.factors.shrinks:
            mean += sums.ps["shrink"]
            linear += sums.p2s["shrink"]
            mixed = torch.addcmul(own * sums.p3s["shrink·along"], other, sums.p3s["shrink·across"])
            quadratic.add_(mixed, alpha=2).add_(sums.p3ss["shrink²"])
        share = sums.combine(mean, linear, quadratic)
        along, across = (sums.factors.transposed(name, rows) for name in ("along", "across"))
        shrink = sums.factors.transposed("shrink", rows) if sums.factors.shrinks else None

        def delta(g: Tensor, p: Tensor, i: Tensor, k: Tensor) -> tuple[Tensor, Tensor | None]:
            low = own[g, p, i, k, None] * along[g, k] + other[g, p, i, k, None] * across[g, k]
            return low, None if shrink is None else shrink[g, k]

        self._recompute(rows, sums, share, self.key[rows.groups, None, None], (1, 2), delta)
        self.key[rows.groups] += share.sum((1, 2))
        if self._seen.key_norm is not None and self._seen.key_norm.spans_heads:
            self._add_other_heads(rows, sums)

    def _add_other_heads(self, rows: RowBlock, sums: RowSums) -> None:
        """Add what a key norm over all heads does to the heads of the other groups: δ_ij = shrink_jk S_ij."""
        assert self._keys.shrink is not None
        groups, width = self.key.shape
        shrink = self._keys.shrink[:, rows.keys].transpose(0, 1).flatten(1)  # [j, G·d]
        seen = (shrink.abs().amax(0) > _CROSS_HEADS).nonzero().flatten()
        factors = shrink[:, seen].expand(len(rows.key), -1, -1)
        share = sums.combine(
            times(sums.ps_map, factors), times(sums.p2s_map, factors), times(sums.p3ss_map, factors.square())
        )
        of_group = share.sum((1, 2))  # [g, n]
        here = torch.arange(groups, device=seen.device)[rows.groups]
        of_group[here[:, None] == seen // width] = 0
        self.key.view(-1)[seen] += of_group.sum(0)

    def _recompute(
        self, rows: RowBlock, sums: RowSums, share: Tensor, before: Tensor, over: int | tuple[int, int], delta: _Delta
    ) -> None:
        """Replace, in place, the shares of rows for which the second order may not do.

        Args:
            rows: The block.
            sums: Its sums.
            share: Second-order scores per row and neuron `[g, p, r, d]`.
            before: The neurons' scores of earlier blocks, to weigh an error against.
            over: The dimensions of ``share`` that a neuron's score is summed over.
            delta: Gives, for chosen (group, member, row, neuron) indices, the low-rank part of δ_i `[n, j]` and the
                factor of S in it.
        """
        total = before + share.sum(over, keepdim=True)
        # The third-order term, up to a factor, is share^(3/2) / ‖P_i‖; compared without a root.
        error = share.square().mul_(share).div_(sums.squares * total.square().clamp_min(1e-36))
        flat = error.flatten()
        chosen = (flat > _TOLERANCE**2).nonzero().flatten()
        cheap = int(_ALWAYS_RECOMPUTED / rows.raw.shape[-1])
        limit = max(int(_MOST_RECOMPUTED * len(flat)), cheap)
        if len(flat) <= cheap:
            chosen = torch.arange(len(flat), device=flat.device)
        elif len(chosen) > limit:
            chosen = chosen[flat[chosen].topk(limit).indices]
        at_once = max(256, self._memory // (4 * 8 * rows.raw.shape[-1]))
        for some in chosen.split(at_once):
            g, p, i, k = torch.unravel_index(some, error.shape)
            low, shrink = delta(g, p, i, k)
            if self._seen.softcap is None and not self._seen.biased:
                logits = rows.logits[g, p, i]
                without = (logits if shrink is None else torch.addcmul(logits, logits, shrink, value=-1)).sub_(low)
            else:
                raw = rows.raw[g, p, i]
                raw = raw - low if shrink is None else raw - low - shrink * raw
                without = self._seen.capped(raw) + rows.bias[g, p, i]
            sink = None if rows.sink is None else rows.sink[g, p, i]
            share[g, p, i, k] = softmax(without, sink).sub_(rows.weights[g, p, i]).square_().sum(-1)


def _rows_of(of_queries: Tensor, rows: RowBlock) -> Tensor:
    """Return the part of a tensor `[H, l, d]` that belongs to a block, `[g, p, r, d]`."""
    per_group = rows.query.shape[1]
    part: Tensor = of_queries.unflatten(0, (-1, per_group))[rows.groups, :, rows.queries]
    return part
