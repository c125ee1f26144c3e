"""The model that a foreign file is read or written for: what an index means there depends on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape

if TYPE_CHECKING:
    from mwork_eval.models.layout import Layout

_ROWS = ("q", "k", "v", "gate", "up")
"""Structures whose neurons are output channels."""


@dataclass(frozen=True)
class Target:
    """A model without its weights.

    Attributes:
        name: What messages and sets call it.
        shape: Its neuron counts.
        layout: Its modules; None if only a set of it is known.
    """

    name: str
    shape: ModelShape
    layout: "Layout | None" = None

    def size(self, layer: int, structure: str) -> int:
        """Return the number of neurons of a place, 0 where the model has none."""
        return self.shape.sizes[layer].get(structure, 0)

    def query_group(self, layer: int, structure: str) -> tuple[int, int]:
        """Return how many query heads share a head of k or v, and how many channels that head has.

        Raises:
            InputError: If query heads share heads, and no configuration says how wide they are.
        """
        if self.layout is not None and (found := self.layout.attentions[layer]):
            heads = found[0].heads
            return heads.query // heads.groups, heads.value_width if structure == "v" else heads.width
        own, query = self.size(layer, structure), self.size(layer, "q")
        if own in (0, query):
            return 1, max(own, 1)
        raise InputError(
            f"what indices of {structure} mean depends on how wide heads are",
            found=f"{query} neurons of q and {own} of {structure} in layer {layer}, and no configuration",
            hint="name the model with `model`",
        )

    @cached_property
    def outputs(self) -> Mapping[str, list[tuple[Place, npt.NDArray[np.int64]]]]:
        """By the name of a module, the structures that are its output channels, each with its channels `[neurons]`.

        Raises:
            InputError: If there is no configuration to tell.
        """
        if self.layout is None:
            raise InputError(
                "names of modules say nothing without the model", expected="its name", hint="give it with `model`"
            )
        names = {id(module): name for name, module in self.layout.model.named_modules()}
        found: dict[str, list[tuple[Place, npt.NDArray[np.int64]]]] = {}
        for (layer, structure), blocks in self.layout.blocks.items():
            for block in blocks if structure in _ROWS else ():
                if block.channels is not None and not block.channels.is_meta and block.start == 0:
                    channels = block.channels.numpy().astype(np.int64)
                    found.setdefault(names[id(block.module)], []).append(((layer, structure), channels))
        return found

    @cached_property
    def modules(self) -> frozenset[str]:
        """The names of all modules; none without a configuration."""
        return frozenset() if self.layout is None else frozenset(name for name, _ in self.layout.model.named_modules())
