"""Attention that calls no attention function: what is multiplied and what the softmax is taken of, as it happens."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mwork_eval.detection.scoring.masks import hidden_by, hidden_in, near

Tensor = torch.Tensor

_PRODUCTS = {"matmul": 0, "__matmul__": 0, "bmm": 0, "baddbmm": 1}
"""Functions that multiply queries and keys, and the place of the queries among their arguments."""
_ROWS = 16
"""Rows that are looked at where it is known that a few tell what is added to all."""


@dataclass(frozen=True)
class Work:
    """What an attention module did with a batch.

    Attributes:
        query: `[B, H, l, d]`.
        key: `[B, H or G, l, d]`.
        logits: What the softmax was taken of `[B, H, l, l]`, or None where a fused function did it.
        sink: A further logit beside those `[B, H, l]`, or None.
        mask: What the fused function was given.
        scale: Likewise.
    """

    query: Tensor
    key: Tensor
    logits: Tensor | None = None
    sink: Tensor | None = None
    mask: Tensor | None = None
    scale: float | None = None

    def products(self) -> Tensor:
        """Return the products of queries and keys `[B, H, l, l]`."""
        key = self.key.repeat_interleave(self.query.shape[1] // self.key.shape[1], 1)
        return self.query.float() @ key.float().mT

    def bias(self, scale: float) -> Tensor:
        """Return what was added to the scores `[B, H, l, l]`; exactly nothing where it is as small as rounding."""
        assert self.logits is not None
        bias = torch.empty(self.logits.shape, device=self.logits.device)
        for number, logits in enumerate(self.logits):
            self._bias(scale, self.query[number], self.key[number], logits, out=bias[number])
        return bias

    def bias_of_keys(self, scale: float) -> tuple[int | None, Tensor] | None:
        """Return the window, and what was added to the scores of each key `[B, H, l]`; None if some rows differ."""
        assert self.logits is not None
        tokens = self.logits.shape[-1]
        rows = torch.linspace(0, tokens - 1, min(_ROWS, tokens), device=self.query.device).long()
        logits = self.logits[:, :, rows].flatten(0, 1)
        key = self.key.repeat_interleave(self.query.shape[1] // self.key.shape[1], 1).flatten(0, 1)
        bias = torch.empty(logits.shape, device=logits.device)
        self._bias(scale, self.query[:, :, rows].flatten(0, 1), key, logits, out=bias)
        seen = int((~hidden_in(bias[0, -1])).sum())
        window = None if seen == tokens else seen
        hidden = hidden_by(window, rows, tokens)
        last = bias[:, -1:].masked_fill(hidden[-1], 0)
        if not bool(hidden_in(bias).eq(hidden).all()) or (window is not None and bool(last.any())):
            return None
        apart = (bias - last).masked_fill_(hidden, 0).abs().max()
        return (window, last.unflatten(0, self.query.shape[:2])[:, :, 0]) if apart <= near(last) else None

    def _bias(self, scale: float, query: Tensor, key: Tensor, logits: Tensor, out: Tensor) -> None:
        """Write what was added to the scores of some rows `[H, r, l]`."""
        key = key.repeat_interleave(len(query) // len(key), 0)
        torch.bmm(query.float(), key.float().mT, out=out).mul_(scale)
        hidden = hidden_in(logits)
        largest = out.masked_fill(hidden, 0).abs_().max()
        least = (1e-2 if torch.finfo(logits.dtype).eps > 1e-4 else 1e-5) * largest
        torch.sub(logits.float(), out, out=out)
        out.masked_fill_(out.abs() <= least, 0).masked_fill_(hidden, torch.finfo(torch.float32).min)

    def scale_by(self, doubled: "Work") -> float | None:
        """Return the factor of the scores, from the same work with doubled queries; None if there is no one factor."""
        assert self.logits is not None
        assert doubled.logits is not None
        products = self.products()
        risen = (doubled.logits - self.logits).float()
        shown = ~hidden_in(self.logits.float())
        shown &= torch.ones(shown.shape[-2:], dtype=torch.bool, device=shown.device).tril()
        one, other = products[shown], risen[shown]
        scale = float((one * other).sum() / one.square().sum().clamp_min(1e-30))
        apart = (other - scale * one).square().sum() <= 1e-4 * other.square().sum()
        return scale if bool(apart) and math.isfinite(scale) else None


@dataclass
class Watch(TorchFunctionMode):
    """Sees the products and the softmax inside an attention module while it is on.

    Attributes:
        on: Whether to look.
        factor: What queries are multiplied by before the product with the keys.
    """

    on: bool = False
    factor: float = 1.0
    _product: tuple[Tensor, Tensor] | None = None
    _softmax: tuple[Tensor, Tensor, Tensor] | None = None
    _fused: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def start(self) -> None:
        """Forget what was seen, and look."""
        self.on, self._product, self._softmax, self._fused = True, None, None, {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See a function that a module calls."""
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        if not self.on:
            return func(*args, **given)
        if name in _PRODUCTS and self._softmax is None:
            place = _PRODUCTS[name]
            left = args[place] if len(args) > place else given.get("batch1")
            right = args[place + 1] if len(args) > place + 1 else given.get("batch2")
            if not isinstance(left, Tensor) or not isinstance(right, Tensor) or not _of_queries_and_keys(left, right):
                return func(*args, **given)
            self._product = left, right
            if self.factor != 1.0:
                left = left * self.factor
                if len(args) > place:
                    args = (*args[:place], left, *args[place + 1 :])
                else:
                    given = {**given, "batch1": left}
            return func(*args, **given)
        result = func(*args, **given)
        if name == "softmax" and self._softmax is None and self._product is not None:
            logits = args[0] if args else given["input"]
            if logits.ndim >= 3 and logits.shape[-1] - logits.shape[-2] in (0, 1):
                self._softmax = (logits, *self._product)
        if name == "scaled_dot_product_attention":
            self._fused = {
                **dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args, strict=False)),
                **given,
            }
        return result

    def work(self, batch: int) -> Work | None:
        """Return what was seen, and stop looking; None if attention was not understood."""
        self.on = False
        if self._fused:
            one = self._fused
            return Work(one["query"], one["key"], mask=one.get("attn_mask"), scale=one.get("scale"))
        if self._softmax is None:
            return None
        logits, left, right = self._softmax
        self._softmax = self._product = None
        tokens = logits.shape[-2]
        logits = logits.reshape(batch, -1, tokens, logits.shape[-1])
        query = left.reshape(batch, -1, *left.shape[-2:])
        key = right.mT.reshape(batch, -1, right.shape[-1], right.shape[-2])
        if query.shape[2] != tokens or query.shape[1] != logits.shape[1]:
            return None
        sink = logits[..., -1] if logits.shape[-1] > tokens else None
        return Work(query, key, logits[..., :tokens], sink)


def _of_queries_and_keys(left: Tensor, right: Tensor) -> bool:
    """Say whether a product is `[..., l, d]` times `[..., d, l]`."""
    return min(left.ndim, right.ndim) >= 3 and left.shape[-2] == right.shape[-1]
