"""What listens to the activations of a batch during a captured forward pass."""

from typing import Protocol

import torch

Tensor = torch.Tensor


class ActivationListener(Protocol):
    """Receives the activations of a batch of B documents, padded to l tokens: what zeroing a neuron sets to zero."""

    def channels(self, layer: int, structure: str, start: int, values: Tensor) -> None:
        """Take activations of q, k, v or o `[B, l, n]`, those of the neurons from ``start`` on."""

    def switches(
        self, layer: int, part: int, expert: int, hidden: Tensor, gate: Tensor | None, tokens: Tensor | None
    ) -> None:
        """Take the activations of a part of a feed-forward, or of an expert in it.

        Args:
            layer: The layer.
            part: The part.
            expert: The expert, or 0.
            hidden: act(gate) * up, or act(up) `[B, l, d_inter]`; `[n, d_inter]` if ``tokens`` are given.
            gate: Of the same shape and with the sign of act(gate), or of act(up); None where it is not seen.
            tokens: The token of each row, counted over the batch with its padding `[n]`; -1 where it is not used.
        """

    def states(self, layer: int, values: Tensor) -> None:
        """Take what a layer gives `[B, l, d_model]`."""
