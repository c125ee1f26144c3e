"""Write to slices of parameters in place, and put back what was there bit by bit: masks, deltas and training do."""

from contextlib import ExitStack

import torch

Tensor = torch.Tensor
Positions = tuple[Tensor, ...]
"""What indexes the axes of a block's weight and bias, as `Block.positions` gives it."""


class SliceEditor(ExitStack[bool | None]):
    """Remembers slices of parameters and puts them back when it is closed, the last one first.

    In this order slices that overlap come back too, and edits that were made one inside another. As a context manager
    it puts everything back at the end of the block, also where a later slice could not be written; ``pop_all`` hands
    what is remembered to a new editor, so that the edits outlive the block. What else has to be undone in turn (hooks)
    can be registered with ``callback``. A second ``close`` does nothing.

    A parameter may be moved or change its dtype in the meantime, as `nn.Module.to` does it; it must not be replaced.
    """

    def save(self, parameter: Tensor, at: Positions) -> None:
        """Remember a slice without changing it.

        Args:
            parameter: A parameter or a view of one.
            at: Which of its entries.
        """
        base = parameter if parameter._base is None else parameter._base
        offset = int(parameter.storage_offset() - base.storage_offset())
        self.callback(_put_back, base, parameter, offset, at, parameter.detach()[at].clone())

    def write(self, parameter: Tensor, at: Positions, values: Tensor | float) -> None:
        """Remember a slice and write to it.

        Args:
            parameter: A parameter or a view of one; it is changed in place.
            at: Which of its entries.
            values: What they become; a tensor is brought to the parameter's type and device.
        """
        # First remembered: an interruption may come between the write and the next line.
        self.save(parameter, at)
        write_slice(parameter, at, values)


def write_slice(parameter: Tensor, at: Positions, values: Tensor | float) -> None:
    """Write to a slice of a parameter in place, outside of autograd.

    Args:
        parameter: A parameter or a view of one.
        at: Which of its entries.
        values: What they become.
    """
    with torch.no_grad():
        parameter[at] = values.to(parameter) if isinstance(values, Tensor) else values


def _put_back(base: Tensor, parameter: Tensor, offset: int, at: Positions, values: Tensor) -> None:
    """Write to a slice of a parameter, which may have moved since: then a view of it still shows the old place."""
    if base.untyped_storage().data_ptr() != parameter.untyped_storage().data_ptr():
        start = base.storage_offset() + offset
        parameter = base.detach().as_strided(parameter.size(), parameter.stride(), start)
    write_slice(parameter, tuple(axis.to(parameter.device) for axis in at), values)
