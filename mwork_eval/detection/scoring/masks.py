"""The masks of a forward pass: what the model makes itself, and the windows that stand for the plain ones."""

from typing import Any

import torch
from transformers.masking_utils import eager_mask

Tensor = torch.Tensor

_LEAST = torch.finfo(torch.float32).min
_HIDDEN = -1e9
"""What is added to a score is below this where a key is hidden, whatever type or factor it went through."""


class Masks:
    """Makes the masks of one forward pass as eager attention would, and knows which are only windows.

    Scoring needs no l x l mask where a token sees all tokens before it, or those in a window.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[Tensor, int | None, bool]] = {}

    def make(self, *_: Any, batch_size: int, **about: Any) -> Tensor | None:
        """Return the mask `[B, 1, l, l]` that a model of transformers asks for; one for all documents of the batch."""
        mask = eager_mask(batch_size=1, **about)
        if mask is None:
            return None
        plain, window = _window_of(mask)
        self._made[mask.data_ptr()] = mask, window, plain
        return mask.expand(batch_size, -1, -1, -1)

    def read(self, mask: Tensor | None, query: Tensor, window: int | None) -> tuple[int | None, Tensor | None]:
        """Return the window that a mask is, or the mask `[1 or B, 1 or H, l, l]`, added to scores, where it is none.

        Args:
            mask: What an attention function is given: numbers to add, or whether a key is seen; or None.
            query: `[B, H, l, d]`.
            window: What the function is told about a window, which counts where there is no mask.
        """
        if mask is None:
            return window, None
        tokens = query.shape[2]
        known = self._made.get(mask.data_ptr())
        if known is not None and mask.shape[-2:] == known[0].shape[-2:]:
            own, width, plain = known
            return (width, None) if plain else (None, own)
        mask = mask[..., :tokens]
        if mask.ndim == 3:
            mask = mask[:, None]
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, _LEAST)
        mask = mask.float().clamp_min(_LEAST)
        plain, width = _window_of(mask)
        return (width, None) if plain else (None, mask)

    def whole(self, mask: Tensor | None, window: int | None, query: Tensor) -> Tensor:
        """Return what is added to scores `[1 or B, 1 or H, l, l]`, also where the model gives no mask."""
        if mask is None:
            return self.bias(window, query)
        if mask.dtype == torch.bool:
            return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, _LEAST)
        return mask

    def bias(self, window: int | None, query: Tensor) -> Tensor:
        """Return the mask `[1, 1, l, l]` of a window."""
        hidden = _hidden(query.shape[2], window, query.device)
        return torch.zeros(1, 1, *hidden.shape, device=query.device).masked_fill_(hidden, _LEAST)

    def of_keys(self, mask: Tensor) -> Tensor | None:
        """Return what a causal mask `[B, H, l, l]` adds to each key `[B, H, l]`, if that is the same in all rows."""
        last = mask[:, :, -1:]
        hidden = _hidden(mask.shape[-1], None, mask.device)
        apart = (mask - last).masked_fill(hidden, 0).abs().max()
        near = apart <= 1e-4 * last.abs().max().clamp_min(1e-3)
        return last[:, :, 0] if near and bool((mask[:, :, hidden] < _HIDDEN).all()) else None


def hidden_in(mask: Tensor) -> Tensor:
    """Return where a mask that is added to scores hides a key."""
    return mask < _HIDDEN


def _window_of(mask: Tensor) -> tuple[bool, int | None]:
    """Say whether a mask `[.., l, l]` only hides later keys and those behind a window, and which."""
    flat = mask.reshape(-1, *mask.shape[-2:])
    rows, keys = flat.shape[-2:]
    if rows != keys:
        return False, None
    seen = int((flat[0, -1] > _HIDDEN).sum())
    window = None if seen == keys else seen
    hidden = _hidden(keys, window, mask.device)
    added = flat[0].masked_fill(hidden, 0)
    plain = bool((flat[0] < _HIDDEN).eq(hidden).all()) and not bool(added.any())
    if plain and len(flat) > 1:
        plain = bool((flat < _HIDDEN).eq(hidden).all()) and not bool(flat.masked_fill(hidden, 0).any())
    return plain, window


def _hidden(tokens: int, window: int | None, device: torch.device) -> Tensor:
    position = torch.arange(tokens, device=device)
    distance = position[:, None] - position[None]
    return distance < 0 if window is None else (distance < 0) | (distance >= window)
