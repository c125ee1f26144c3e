"""Sums of the activations of a batch, document by document, taken while it passes through the model."""

from collections.abc import Sequence
from typing import Literal

import torch

from mwork_eval.files.tensor_file import Array
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import Place

Tensor = torch.Tensor
Kind = Literal["sum", "square", "over_zero", "residual"]


class ActivationSums:
    """Listens to a batch: neither padding nor tokens that only begin a text count.

    Attributes:
        tokens: Of each document, how many tokens count.
    """

    def __init__(self, layout: Layout, lengths: Sequence[int], begun: Sequence[int]) -> None:
        """Start with nothing.

        Args:
            layout: The model.
            lengths: Number of tokens of each document.
            begun: How many of the first of them do not count.
        """
        self._layout = layout
        self._spans = [(min(skipped, length), length) for skipped, length in zip(begun, lengths, strict=True)]
        self.tokens = [end - start for start, end in self._spans]
        position, rows = torch.arange(max(lengths)), torch.arange(len(lengths))[:, None]
        starts, ends = torch.tensor(self._spans).T[..., None]
        self._documents = torch.where((position >= starts) & (position < ends), rows, -1).flatten()
        self._found: dict[Kind, dict[Place, Tensor]] = {"sum": {}, "square": {}, "over_zero": {}, "residual": {}}
        self._arrays: dict[tuple[Kind, Place], Array] = {}

    def of(self, kind: Kind, document: int) -> dict[Place, Array]:
        """Return sums of one document by place, `[neurons]`; for `residual` `[d_model]`."""
        found = {}
        for place, total in self._found[kind].items():
            if (kind, place) not in self._arrays:
                self._arrays[kind, place] = total.cpu().numpy()
            found[place] = self._arrays[kind, place][document]
        return found

    @torch.no_grad()
    def channels(self, layer: int, structure: str, start: int, values: Tensor) -> None:
        """Take the activations of a part of q, k, v or o."""
        self._add_moments((layer, structure), start, values)
        counts = [(own > 0).sum(0, dtype=torch.int32) for own in self._own(values)]
        self._add("over_zero", (layer, structure), start, torch.stack(counts))

    @torch.no_grad()
    def switches(
        self, layer: int, part: int, expert: int, hidden: Tensor, gate: Tensor | None, tokens: Tensor | None
    ) -> None:
        """Take the activations of a part of a feed-forward, or of an expert in it."""
        block = self._layout.blocks[layer, "up"][part]
        start = block.start + expert * (block.size // max(block.experts, 1))
        place = (layer, "up")
        if tokens is None:
            self._add_moments(place, start, hidden)
            if gate is not None:
                counts = [(own > 0).sum(0, dtype=torch.int32) for own in self._own(gate)]
                self._add("over_zero", place, start, torch.stack(counts))
            return
        # Tokens that do not count go to a row of their own.
        to = torch.where(tokens < 0, 0, self._documents.to(tokens.device)[tokens.clamp_min(0)] + 1)
        rows = hidden.float()
        self._add("sum", place, start, self._by_document(rows, to))
        self._add("square", place, start, self._by_document(rows.square(), to))
        if gate is not None:
            self._add("over_zero", place, start, self._by_document((gate > 0).int(), to))

    @torch.no_grad()
    def states(self, layer: int, values: Tensor) -> None:
        """Take what a layer gives."""
        self._add("residual", (layer, "residual"), 0, torch.stack([own.sum(0) for own in self._own(values.float())]))

    def _own(self, values: Tensor) -> list[Tensor]:
        return [values[document, start:end] for document, (start, end) in enumerate(self._spans)]

    def _add_moments(self, place: Place, start: int, values: Tensor) -> None:
        own = self._own(values.float())
        self._add("sum", place, start, torch.stack([one.sum(0) for one in own]))
        self._add("square", place, start, torch.stack([one.square().sum(0) for one in own]))

    def _by_document(self, rows: Tensor, to: Tensor) -> Tensor:
        total = torch.zeros(len(self._spans) + 1, rows.shape[-1], dtype=rows.dtype, device=rows.device)
        return total.index_add_(0, to, rows)[1:]

    def _add(self, kind: Kind, place: Place, start: int, found: Tensor) -> None:
        """Put the sums of a part `[B, n]` where they belong."""
        layer, structure = place
        size = found.shape[-1] if kind == "residual" else self._layout.shape.sizes[layer][structure]
        kept = self._found[kind].get(place)
        if kept is None:
            kept = self._found[kind][place] = found.new_zeros(len(found), size)
        kept[:, start : start + found.shape[-1]] += found.to(kept.device)
