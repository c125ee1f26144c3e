"""The masks of a forward pass: what the model makes itself, and the windows that stand for the plain ones."""

from typing import Any

import torch
from transformers.masking_utils import eager_mask

from mwork_eval.detection.scoring.windows import WindowMask, window_of_function

Tensor = torch.Tensor

_LEAST = torch.finfo(torch.float32).min
_HIDDEN = -1e9
"""What is added to a score is below this where a key is hidden, whatever type or factor it went through."""
_ROWS = 256
"""Rows that are compared with those of a window at once."""


class Masks:
    """Makes the masks of one forward pass as eager attention would, and knows which are only windows.

    Scoring needs no l x l mask where a token sees all tokens before it, or those in a window.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[Tensor, int | None, bool]] = {}

    def make(self, *_: Any, batch_size: int, **about: Any) -> Tensor | None:
        """Return the mask `[B, 1, l, l]` that a model of transformers asks for; one for all documents of the batch."""
        plain, window = _window_of_arguments(about)
        if plain:
            tokens, like = about["q_length"], {name: about[name] for name in ("dtype", "device")}
            return WindowMask.of(
                window, lambda: self._make(about, (plain, window)), (batch_size, 1, tokens, tokens), like
            )
        mask = self._make(about, None)
        return None if mask is None else mask.expand(batch_size, -1, -1, -1)

    def _make(self, about: dict[str, Any], known: tuple[bool, int | None] | None) -> Tensor:
        """Make a mask `[1, 1, l, l]`, and keep whether it is only a window, and which."""
        mask = eager_mask(batch_size=1, **about)
        if mask is not None:
            plain, window = known or window_of(mask)
            self._made[mask.data_ptr()] = mask, window, plain
        return mask

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
        if isinstance(mask, WindowMask):
            return mask.window, None
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
        plain, width = window_of(mask)
        return (width, None) if plain else (None, mask)

    def whole(self, mask: Tensor | None, window: int | None, query: Tensor) -> Tensor:
        """Return what is added to scores `[1 or B, 1 or H, l, l]`, also where the model gives no mask."""
        if mask is None or isinstance(mask, WindowMask):
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
        last, keys = mask[:, :, -1:], mask.shape[-1]
        for start in range(0, keys, _ROWS):
            some = mask[:, :, start : start + _ROWS]
            hidden = hidden_by(None, torch.arange(start, start + some.shape[2], device=mask.device), keys)
            apart = (some - last).masked_fill_(hidden, 0).abs().max()
            if not bool(apart <= near(last)) or not bool(hidden_in(some).eq(hidden).all()):
                return None
        return last[:, :, 0]


def hidden_in(mask: Tensor) -> Tensor:
    """Return where a mask that is added to scores hides a key."""
    return mask < _HIDDEN


def near(bias: Tensor) -> Tensor:
    """Return how far apart biases may be and still be the same, from one of them."""
    return 1e-4 * bias.abs().max().clamp_min(1e-3)


def window_of(mask: Tensor) -> tuple[bool, int | None]:
    """Say whether a mask `[.., l, l]` only hides later keys and those behind a window, and which."""
    flat = mask.reshape(-1, *mask.shape[-2:])
    rows, keys = flat.shape[-2:]
    if rows != keys:
        return False, None
    seen = int((flat[0, -1] > _HIDDEN).sum())
    window = None if seen == keys else seen
    for start in range(0, rows, _ROWS):
        some = flat[:, start : start + _ROWS]
        hidden = hidden_by(window, torch.arange(start, start + some.shape[1], device=mask.device), keys)
        if not bool(hidden_in(some).eq(hidden).all()) or bool(some.masked_fill(hidden, 0).any()):
            return False, window
    return True, window


def hidden_by(window: int | None, rows: Tensor, keys: int) -> Tensor:
    """Return which keys some rows do not see, `[rows, keys]`."""
    key = torch.arange(keys, device=rows.device)
    hidden = key > rows[:, None]
    return hidden if window is None else hidden | (key <= rows[:, None] - window)


def _window_of_arguments(about: dict[str, Any]) -> tuple[bool, int | None]:
    """Say whether the arguments of a mask interface tell that the mask is only a window, and which."""
    padding = about.get("attention_mask")
    tokens = about["q_length"]
    if about["kv_length"] != tokens or about.get("q_offset", 0) != about.get("kv_offset", 0):
        return False, None
    if "dtype" not in about or "device" not in about or (padding is not None and not bool(padding.all())):
        return False, None
    return window_of_function(about.get("mask_function"), tokens, about.get("local_size"))


def _hidden(tokens: int, window: int | None, device: torch.device) -> Tensor:
    return hidden_by(window, torch.arange(tokens, device=device), tokens)
