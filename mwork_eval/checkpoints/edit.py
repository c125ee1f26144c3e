"""An edit: lines of one tensor of a checkpoint that get other values, or theirs times a number."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class Edit:
    """Lines of a tensor that get other values: rows or columns of a matrix, entries of a bias.

    Attributes:
        along: Axis of the tensor along which the lines run: 1 for rows of a matrix, 0 for columns, 2 or 1 in a stack of
            matrices; None where each line is one number.
        at: Per other axis, in their order, the indices of the lines `[lines]`.
        values: What the lines become `[lines, length]` (`[lines]` for single numbers); None for zeros.
        factor: What the lines are multiplied by instead; None where they become ``values``.
    """

    along: int | None
    at: tuple[Tensor, ...]
    values: Tensor | None = None
    factor: float | None = None

    def write(self, tensor: Tensor) -> None:
        """Write to a tensor of the checkpoint's shape, in place; values are brought to its type and device."""
        lines = tensor if self.along is None else tensor.movedim(self.along, -1)
        at = tuple(axis.to(tensor.device) for axis in self.at)
        with torch.no_grad():
            if self.factor is not None:
                lines[at] = lines[at] * self.factor
            else:
                lines[at] = 0 if self.values is None else self.values.to(tensor)


Edits = Mapping[str, tuple[Edit, ...]]
"""By name of the checkpoint's tensor, what is done to it, one after the other."""
