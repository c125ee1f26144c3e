"""An attention module run again for one document with some neurons zeroed: slow, and right for anything."""

from collections import UserDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from mwork_eval.detection.scoring.windows import WindowMask

Tensor = torch.Tensor
Zeroed = Mapping[str, Tensor]
"""Indices of neurons of q, k and v that are zeroed together."""


class StopReplay(Exception):  # noqa: N818
    """Ends a replay once it showed what was asked for."""


@dataclass
class Replay:
    """What is asked of a replay, and what it showed.

    Attributes:
        zeroed: For each of n copies of the document, the neurons that are zeroed.
        until: `core`: what attention is given. `output`: the input of the output projection.
        core: What attention was given.
        output: The input of the output projection `[n, l, channels]`.
    """

    zeroed: Sequence[Zeroed]
    until: str
    core: Any = None
    output: Tensor | None = None
    scale: float | None = None
    work: Any = field(default=None)

    def zero(self, output: Tensor, structures: Mapping[str, Tensor]) -> Tensor:
        """Zero neurons in the output of a projection.

        Args:
            output: `[n, l, rows]`, or with the first two dimensions as one.
            structures: Of the structures in it, the channels of all their neurons.
        """
        changed = output.clone()
        copies = changed.view(len(self.zeroed), -1, changed.shape[-1])
        for number, neurons in enumerate(self.zeroed):
            for structure, channels in structures.items():
                if structure in neurons:
                    copies[number][:, channels.to(output.device)[neurons[structure].cpu()]] = 0
        return changed


def of_document(value: Any, batch: int, heads: int, document: int, copies: int) -> Any:
    """Return an argument of a module for copies of one document of the batch.

    Args:
        value: The argument: of tensors whose first dimension is the batch, or its heads, the document's part.
        batch: Number of documents.
        heads: Number of query heads.
        document: Which one.
        copies: How often it is repeated.
    """
    if isinstance(value, WindowMask):
        return value.for_documents(copies)
    if isinstance(value, Tensor) and value.ndim > 1:
        if len(value) == batch:
            alone = value[document : document + 1].expand(copies, *value.shape[1:])
            return alone if value.ndim > 3 else alone.contiguous()  # some models view states in another shape
        if batch > 1 and len(value) == batch * heads and value.ndim == 3:
            return value.unflatten(0, (batch, heads))[document]
        return value
    if type(value) is tuple:
        return tuple(of_document(one, batch, heads, document, copies) for one in value)
    if isinstance(value, dict | UserDict):
        cut = {name: of_document(one, batch, heads, document, copies) for name, one in value.items()}
        return cut if isinstance(value, dict) else type(value)(cut)
    return value
