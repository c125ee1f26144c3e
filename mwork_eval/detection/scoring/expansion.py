"""The second-order expansion of a change of attention weights: row factors, key factors, and sums over the keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from mwork_eval.detection.scoring.attention import Attention, RowBlock
from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor


@dataclass(frozen=True)
class Response:
    """How zeroing channel k changes a head's rotated vector x at its token: x' = (1 - shrink)·x - along - across.

    Attributes:
        shrink: 1 - ρ `[heads, l, d]`, or None without a norm.
        along: Removed from channel k `[heads, l, d]`.
        across: Removed from the channel that k is paired with `[heads, l, d]`.
    """

    shrink: Tensor | None
    along: Tensor
    across: Tensor

    @classmethod
    def of(cls, rotated: Tensor, norm: HeadNorm | None, rotation: Rotation, scale: float) -> "Response":
        """Compute the response of rotated queries or keys `[heads, l, d]`, in units of the scores."""
        if norm is not None and norm.gains is not None:
            growth = norm.growth()
            removed, gains = scale * norm.divided() * growth, norm.gains.float()
            across = removed * rotation.sign * rotation.sin * gains[rotation.partner]
            return cls(1 - growth, removed * rotation.cos * gains, across)
        removed = scale * rotation.undo(rotated.float())
        shrink = None
        if norm is not None:
            growth = norm.growth()
            shrink, removed = 1 - growth, removed * growth
        return cls(shrink, removed * rotation.cos, removed * rotation.sign * rotation.sin)


@dataclass(frozen=True)
class KeyFactors:
    """Per-key vectors that attention weights are multiplied with, side by side `[g, l, columns · d]`.

    The order of the columns lets every product take a contiguous range of them.
    """

    groups: slice
    columns: Tensor
    width: int
    shrinks: bool

    NAMES: ClassVar[tuple[str, ...]] = (
        *("shrink·along", "shrink·across", "shrink", "key", "along", "across"),
        *("key²", "key·pair", "along²", "across²", "along·across", "shrink²"),
    )

    @classmethod
    def of(cls, seen: Attention, keys: Response, groups: slice) -> "KeyFactors":
        """Compute the factors of some key heads for all keys."""
        key, along, across = seen.key[groups].float(), keys.along[groups], keys.across[groups]
        if seen.softcap is None and seen.sink is None:  # softmax ignores a shift of a row; small numbers cancel less
            key, along, across = (factor - factor.mean(1, keepdim=True) for factor in (key, along, across))
        shrink = None if keys.shrink is None else keys.shrink[groups]
        mixed = [] if shrink is None else [shrink * along, shrink * across, shrink]
        squares = [key.square(), key * seen.rotation.swap(key), along.square(), across.square(), along * across]
        last = [] if shrink is None else [shrink.square()]
        columns = torch.cat([*mixed, key, along, across, *squares, *last], -1)
        return cls(groups, columns, key.shape[-1], shrink is not None)

    def named(self, first: str, last: str, rows: RowBlock) -> tuple[tuple[str, ...], Tensor]:
        """Return the names and columns from one name to another for the keys of a block."""
        names = self.NAMES if self.shrinks else self.NAMES[3:-1]
        start, stop = names.index(first), names.index(last) + 1
        return names[start:stop], self.columns[:, rows.keys, start * self.width : stop * self.width]

    def transposed(self, name: str, rows: RowBlock) -> Tensor:
        """Return one factor for the keys of a block, `[g, d, j]`, contiguous for gathering."""
        return self.named(name, name, rows)[1].mT.contiguous()


@dataclass(frozen=True)
class RowSums:
    """Sums over the keys of a block: P, P², PS, P²S and P²S² times the factors, `[g, p, r, d]` by name.

    A soft-cap makes the effective change D·δ with D its derivative, so what stands for P, P² and P² in the first,
    second and third use are P·D, P²·D and P²·D².
    """

    factors: KeyFactors
    squares: Tensor
    p: Mapping[str, Tensor]
    p2: Mapping[str, Tensor]
    p3: Mapping[str, Tensor]
    ps: Mapping[str, Tensor]
    p2s: Mapping[str, Tensor]
    p3s: Mapping[str, Tensor]
    p3ss: Mapping[str, Tensor]
    ps_map: Tensor
    p2s_map: Tensor
    p3ss_map: Tensor

    @classmethod
    def of(cls, rows: RowBlock, factors: KeyFactors, seen: Attention) -> "RowSums":
        """Compute the sums of a block."""
        p, raw = rows.weights, rows.raw
        p2 = p3 = p.square()
        squares = p2.sum(-1, keepdim=True)
        if seen.softcap is not None:
            slope = 1 - torch.tanh(raw / seen.softcap).square()
            p3 = p2 * slope.square()
            p, p2 = p * slope, p2 * slope

        def named(left: Tensor, first: str, last: str) -> dict[str, Tensor]:
            names, columns = factors.named(first, last, rows)
            return dict(zip(names, times(left, columns).split(factors.width, -1), strict=True))

        of_p2 = named(p2, "key", "along·across" if p2 is p3 else "across")
        of_p3 = of_p2 if p2 is p3 else named(p3, "key²", "along·across")
        empty = raw.new_empty(0)
        ps = p2s = p3s = p3ss = empty
        of_ps: dict[str, Tensor] = {}
        of_p2s, of_p3s, of_p3ss = of_ps, of_ps, of_ps
        if seen.query_norm is not None or seen.key_norm is not None:
            ps, p3s = p * raw, p3 * raw
            p2s, p3ss = p3s if p2 is p3 else p2 * raw, p3s * raw
        if factors.shrinks:
            of_ps, of_p3ss = named(ps, "shrink", "shrink"), named(p3ss, "shrink²", "shrink²")
            of_p3s = named(p3s, "shrink·along", "key")
            of_p2s = of_p3s if p2 is p3 else named(p2s, "shrink", "shrink")
        elif seen.query_norm is not None:
            of_p3s = named(p3s, "key", "key")
        of_p = named(p, "key", "across")
        return cls(factors, squares, of_p, of_p2, of_p3, of_ps, of_p2s, of_p3s, of_p3ss, ps, p2s, p3ss)

    @property
    def ps_sum(self) -> Tensor:
        """ΣPS per row `[g, p, r, 1]`."""
        return self.ps_map.sum(-1, keepdim=True)

    @property
    def p2s_sum(self) -> Tensor:
        """ΣP²S per row."""
        return self.p2s_map.sum(-1, keepdim=True)

    @property
    def p3ss_sum(self) -> Tensor:
        """ΣP²S² per row."""
        return self.p3ss_map.sum(-1, keepdim=True)

    def combine(self, mean: Tensor, linear: Tensor, quadratic: Tensor) -> Tensor:
        """Return Σ P² (δ - mean)² per row and neuron; the arguments are used up."""
        linear.mul_(2).addcmul_(mean, self.squares, value=-1)
        return torch.addcmul(quadratic, mean, linear, value=-1).clamp_min_(0)

    def spread(self) -> Tensor:
        """Return Σ P² (S - ΣPS)² per row `[g, p, r]`."""
        return self.combine(self.ps_sum, self.p2s_sum, self.p3ss_sum)[..., 0]


def times(left: Tensor, right: Tensor) -> Tensor:
    """Multiply `[g, p, r, j]` with per-key vectors `[g, j, n]`."""
    product: Tensor = (left.flatten(1, 2) @ right).unflatten(1, left.shape[1:3])
    return product
