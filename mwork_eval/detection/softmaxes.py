"""Attention weights, seen where a model's own code takes the softmax, or has torch take it.

`scoring.outside` looks at softmaxes, too; what proves the scores shares no code with what makes them.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

Tensor = torch.Tensor


class Softmaxes(TorchFunctionMode):
    """Keeps the softmaxes over keys that are taken while it is told to look.

    Attributes:
        inside: Whether to look.
        found: The attention weights that were seen, a sink left out.
    """

    def __init__(self, heads: int, tokens: int) -> None:
        super().__init__()
        self.inside = False
        self.found: list[Tensor] = []
        self._heads, self._tokens = heads, tokens

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See a function that a module calls."""
        kwargs = kwargs or {}
        result, name = func(*args, **kwargs), getattr(func, "__name__", "")
        if self.inside and name == "softmax":
            self._keep(result)
        elif self.inside and name == "scaled_dot_product_attention":
            self._keep(_weights_of(*args, **kwargs))
        return result

    def _keep(self, weights: Tensor) -> None:
        keys = weights[..., : self._tokens]
        if keys.shape[-2:] == (self._tokens, self._tokens) and keys[..., 0, 0].numel() == self._heads:
            self.found.append(keys.clone())


def _weights_of(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return the attention weights of a call of torch's attention, which keeps them to itself."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    logits = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
    if attn_mask is not None:
        logits = logits.masked_fill(~attn_mask, float("-inf")) if attn_mask.dtype == torch.bool else logits + attn_mask
    return logits.softmax(-1)
