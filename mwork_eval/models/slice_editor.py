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

    It holds copies of the slices and views of the parameters, so a parameter must not be moved or replaced until then.
    """

    def save(self, parameter: Tensor, at: Positions) -> None:
        """Remember a slice without changing it.

        Args:
            parameter: A parameter or a view of one.
            at: Which of its entries.
        """
        self.callback(write_slice, parameter, at, parameter.detach()[at].clone())

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
