"""Deactivate neurons by setting their weights to zero, and bring the weights back bit by bit."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import COLUMN_STRUCTURES


class WeightMask:
    """Zeroed neurons of a model, with what is needed to undo it.

    This changes the model's weights in place: rows (and bias entries) of q, k, v, gate, up and columns of o,
    down. Memory is that of the zeroed values.
    """

    def __init__(self, layout: Layout, neurons: NeuronSet) -> None:
        if neurons.shape != layout.shape:
            raise InputError("the neuron set is of another model", found=str(neurons.shape), expected=str(layout.shape))
        self._saved: list[tuple[torch.Tensor, int, torch.Tensor, torch.Tensor]] = []
        try:
            for (layer, structure), indices in neurons.indices.items():
                module = layout.projection(layer, structure)
                weight = layout.weight(layer, structure)
                dim = 1 if structure in COLUMN_STRUCTURES else 0
                self._zero(weight, dim, torch.from_numpy(indices.astype("int64")))
                bias = getattr(module, "bias", None)
                if dim == 0 and bias is not None:
                    self._zero(bias, 0, torch.from_numpy(indices.astype("int64")))
        except BaseException:
            self.restore()
            raise

    def _zero(self, parameter: torch.Tensor, dim: int, indices: torch.Tensor) -> None:
        if parameter.is_meta:
            raise InputError(
                "these weights cannot be written",
                found="offloaded weights",
                expected="all weights in memory",
                hint="load the model without offloading",
            )
        indices = indices.to(parameter.device)
        with torch.no_grad():
            self._saved.append((parameter, dim, indices, parameter.detach().index_select(dim, indices).clone()))
            parameter.index_fill_(dim, indices, 0)

    def restore(self) -> None:
        """Put the weights back, bit-identical; a second call does nothing."""
        with torch.no_grad():
            while self._saved:
                parameter, dim, indices, values = self._saved.pop()
                parameter.index_copy_(dim, indices, values)


@contextmanager
def deactivated(layout: Layout, neurons: NeuronSet) -> Iterator[None]:
    """Deactivate neurons for the duration of a block; the weights come back also after an exception.

    Raises:
        InputError: If the set is of another model or the weights cannot be written.
    """
    mask = WeightMask(layout, neurons)
    try:
        yield
    finally:
        mask.restore()
