"""Masks that are only windows: told from a mask function without making them, and made where a model looks inside."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers.masking_utils import (
    causal_mask_function,
    chunked_causal_mask_function,
    sliding_window_causal_mask_function,
)

Tensor = torch.Tensor

_OUTSIDE = (
    Tensor.shape.__get__,  # type: ignore[attr-defined]
    Tensor.ndim.__get__,  # type: ignore[attr-defined]
    Tensor.dtype.__get__,  # type: ignore[attr-defined]
    Tensor.device.__get__,  # type: ignore[attr-defined]
    Tensor.size,
    Tensor.dim,
    Tensor.is_complex,
    Tensor.is_floating_point,
    Tensor.__len__,
)
"""What may be asked of a mask without a look at its numbers."""


class WindowMask(Tensor):
    """Stands for a mask `[B, 1, l, l]` that is only a window: one number in memory until something reads the others.

    Attributes:
        window: Number of tokens that a row sees, itself included, or None for all up to itself.
        make: Gives the mask itself, `[1, 1, l, l]`.
    """

    window: int | None
    make: Callable[[], Tensor]

    @classmethod
    def of(
        cls, window: int | None, make: Callable[[], Tensor], shape: tuple[int, ...], like: Mapping[str, Any]
    ) -> "WindowMask":
        """Return the mask of a window with a shape and, by ``like``, a dtype and a device."""
        mask = torch.zeros((), **like).expand(shape).as_subclass(cls)
        mask.window, mask.make = window, make
        return mask

    def for_documents(self, count: int) -> "WindowMask":
        """Return the same mask for another number of documents."""
        return self.of(self.window, self.make, (count, *self.shape[1:]), {"dtype": self.dtype, "device": self.device})

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer what can be without the numbers, and let the mask itself take part in everything else."""
        with torch._C.DisableTorchFunctionSubclass():
            if func in _OUTSIDE:
                return func(*args, **(kwargs or {}))
            return func(*map(_made, args), **{name: _made(one) for name, one in (kwargs or {}).items()})


def window_of_function(mask_function: Any, tokens: int, local_size: int | None) -> tuple[bool, int | None]:
    """Say whether a mask function of transformers gives only a window for a document, and which.

    Args:
        mask_function: It, as a mask interface is given it.
        tokens: l.
        local_size: The size that is told beside it.
    """
    if mask_function is causal_mask_function:
        return True, None
    if local_size is not None:
        if _same(mask_function, sliding_window_causal_mask_function(local_size)):
            return True, local_size if local_size < tokens else None
        # Within the first chunk all earlier tokens are seen.
        if tokens <= local_size and _same(mask_function, chunked_causal_mask_function(local_size, torch.zeros(1))):
            return True, None
    return False, None


def _made(value: Any) -> Any:
    if isinstance(value, WindowMask):
        return value.make().expand(value.shape)
    return type(value)(map(_made, value)) if type(value) in (list, tuple) else value


def _same(one: Any, other: Any) -> bool:
    """Say whether two mask functions, or what they hold, are the same: the same code with the same numbers in it."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return bool((one == other.to(one.device)).all())
    if type(one) is tuple and type(other) is tuple:
        return len(one) == len(other) and all(map(_same, one, other))
    code = getattr(one, "__code__", None)
    if code is None:
        return type(one) is type(other) and bool(one == other)
    return code is getattr(other, "__code__", None) and _same(_held(one), _held(other))


def _held(function: Any) -> tuple[Any, ...]:
    return tuple(cell.cell_contents for cell in function.__closure__ or ())
