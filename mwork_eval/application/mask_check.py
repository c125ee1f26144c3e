"""Check on a model that masks by weights and by activations are the same, and that the weights come back."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch

from mwork_eval.detection.agreement import REPORT
from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.weights import zero_weights
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import Indices, Place

Tensor = torch.Tensor

_NEURONS = 4
_LIMITS = {"float32": 1e-3, "float64": 1e-3}
_HALF_LIMIT = 0.1
"""Share of a mask's effect on the logits; in bfloat16 and float16 other kernels round otherwise by some percent."""

_AT_ONCE = 2**24
"""Entries of a parameter that are digested in one step."""


@dataclass(frozen=True)
class MaskCheck:
    """What a mask did.

    Attributes:
        neurons: How many neurons were off.
        distance: How far the logits of both ways are apart, as a share of the mask's effect.
        restored: Whether weights and logits came back bit by bit.
        limit: How far they may be apart.
    """

    neurons: int
    distance: float
    restored: bool
    limit: float

    @property
    def agrees(self) -> bool:
        """Whether all is as it should be."""
        return self.restored and self.distance <= self.limit

    def check(self, name: str) -> None:
        """Check that all is as it should be.

        Raises:
            InputError: If not.
        """
        if not self.restored:
            raise InputError(f"{name}: weights do not come back as they were after a mask", hint=REPORT)
        if not self.agrees:
            raise InputError(
                f"{name}: masks by weights and by activations give other logits",
                found=f"{self.distance:.2g} of the mask's effect",
                expected=f"at most {self.limit:g}",
                hint=REPORT,
            )


def check_masks(layout: Layout, token_ids: Sequence[int], layers: Sequence[int]) -> MaskCheck:
    """Mask some neurons of every structure of some layers by weights, and then by activations.

    Args:
        layout: The model, in evaluation mode; as before in the end.
        token_ids: A text.
        layers: The layers.
    """
    places = [place for place, blocks in layout.blocks.items() if place[0] in layers]
    places = [place for place in places if all(block.writable for block in layout.blocks[place])]
    indices: dict[Place, Indices] = {place: _spread(layout, place) for place in places}
    parameters = _parameters(layout, places)
    before = [_digest(parameter) for parameter in parameters]
    untouched = _logits(layout, token_ids)
    with SliceEditor() as undo:
        zero_weights(layout, indices, undo)
        by_weights = _logits(layout, token_ids)
    restored = before == [_digest(parameter) for parameter in parameters]
    with ExitStack() as hooks:
        zero_activations(layout, indices, hooks)
        by_activations = _logits(layout, token_ids)
    restored = restored and torch.equal(untouched, _logits(layout, token_ids))
    effect = float((by_weights - untouched).norm())
    distance = float((by_weights - by_activations).norm()) / effect if effect else float("inf")
    limit = _LIMITS.get(layout.dtype, _HALF_LIMIT)
    return MaskCheck(sum(map(len, indices.values())), distance, restored, limit)


def _spread(layout: Layout, place: Place) -> Indices:
    size = layout.shape.sizes[place[0]][place[1]]
    return np.unique(np.linspace(0, size - 1, _NEURONS).astype(np.int32))


def _parameters(layout: Layout, places: Sequence[Place]) -> list[Tensor]:
    """Return the parameters in which the neurons of some places lie, those of several places once."""
    views = [
        tensor
        for place in places
        for block in layout.blocks[place]
        for tensor in (block.weight, block.bias)
        if tensor is not None
    ]
    bases = [view if view._base is None else view._base for view in views]
    return list({id(base): base for base in bases}.values())


def _digest(parameter: Tensor) -> bytes:
    """Return a digest of a parameter's bits; it is read in pieces, for the experts of a layer may be gigabytes."""
    digest = hashlib.sha256()
    for piece in parameter.detach().reshape(-1).split(_AT_ONCE):
        digest.update(piece.view(torch.uint8).cpu().numpy())
    return digest.digest()


def _logits(layout: Layout, token_ids: Sequence[int]) -> Tensor:
    ids = torch.tensor([list(token_ids)], device=layout.device)
    with torch.inference_mode():
        logits: Tensor = layout.model(input_ids=ids, use_cache=False).logits
    return logits.double().cpu() if logits.device.type == "mps" else logits.double()
