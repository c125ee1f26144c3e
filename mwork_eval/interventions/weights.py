"""Deactivate neurons by setting their weights to zero, and bring the weights back bit by bit."""

import torch

from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet


class WeightMask:
    """Zeroed neurons of a model, with what is needed to undo it.

    This changes the model's weights in place: rows (and bias entries) of q, k, v, gate, up and columns of o,
    down, also where a family fuses several structures into one matrix. Memory is that of the zeroed values.
    """

    def __init__(self, layout: Layout, neurons: NeuronSet) -> None:
        self._saved: list[tuple[torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]] = []
        try:
            for place, indices in neurons.indices.items():
                block = layout.blocks[place]
                if block.weight is None or not block.writable:
                    raise InputError(
                        f"the weights of layers.{place[0]}.{place[1]} cannot be written",
                        found="packed or offloaded weights",
                        expected="plain weights in memory",
                    )
                at = block.positions(torch.from_numpy(indices.astype("int64")).to(block.weight.device))
                self._zero(block.weight, at)
                if block.bias is not None:
                    self._zero(block.bias, at)
        except BaseException:
            self.restore()
            raise

    def _zero(self, parameter: torch.Tensor, at: tuple[torch.Tensor, ...]) -> None:
        with torch.no_grad():
            self._saved.append((parameter, at, parameter.detach()[at].clone()))
            parameter[at] = 0

    def restore(self) -> None:
        """Put the weights back, bit-identical; a second call does nothing."""
        with torch.no_grad():
            while self._saved:
                parameter, at, values = self._saved.pop()
                parameter[at] = values
