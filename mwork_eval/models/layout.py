"""Where the neurons of a loaded model are: layers, structures, sizes and heads, read off the weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mwork_eval.errors import InputError
from mwork_eval.models.families import FAMILIES, Family, find_family
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.structures import COLUMN_STRUCTURES, STRUCTURES


@dataclass(frozen=True)
class Layout:
    """A loaded model seen as layers of structures.

    Attributes:
        model: The causal language model (a PEFT wrapper is looked through).
        family: Its row in the table of families.
        decoder: The text decoder, whose forward computes hidden states and no logits.
        layers: Its layers.
        shape: Neuron counts.
    """

    model: nn.Module
    family: Family
    decoder: nn.Module
    layers: tuple[nn.Module, ...]
    shape: ModelShape

    @classmethod
    def of(cls, model: Any) -> "Layout":
        """Find the neurons of a model.

        Raises:
            InputError: If the family is not supported or a projection is not where its family keeps it.
        """
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        model_type = getattr(getattr(base, "config", None), "model_type", type(base).__name__)
        family = find_family(model_type)
        if family is None:
            raise InputError(
                "unsupported model family",
                found=model_type,
                expected="one of " + " ".join(row.name for row in FAMILIES),
                hint="CONTRIBUTING.md tells how to add one",
            )
        decoder = base.get_decoder()
        layers = tuple(decoder.get_submodule(family.layers))
        sizes = []
        for index, layer in enumerate(layers):
            found = {}
            for structure in STRUCTURES:
                weight = _weight(layer, family.projections[structure], index)
                found[structure] = weight.shape[1 if structure in COLUMN_STRUCTURES else 0]
            sizes.append(found)
        return cls(base, family, decoder, layers, ModelShape(family.name, tuple(sizes)))

    def projection(self, layer: int, structure: str) -> nn.Module:
        """Return the linear module of a structure."""
        return self.layers[layer].get_submodule(self.family.projections[structure])

    def weight(self, layer: int, structure: str) -> torch.Tensor:
        """Return the weight matrix `[out, in]` of a structure."""
        return _weight(self.layers[layer], self.family.projections[structure], layer)

    def attention(self, layer: int) -> nn.Module:
        """Return the attention module of a layer."""
        return self.layers[layer].get_submodule(self.family.attention)

    @property
    def device(self) -> torch.device:
        """Device of the input embeddings, where token ids go."""
        embeddings: Any = self.decoder.get_input_embeddings()  # type: ignore[operator]
        return embeddings.weight.device  # type: ignore[no-any-return]


def _weight(layer: nn.Module, path: str, index: int) -> torch.Tensor:
    try:
        weight = layer.get_submodule(path).weight
    except AttributeError:
        raise InputError(f"layer {index} has no {path}", hint="CONTRIBUTING.md tells how to add a family") from None
    if not isinstance(weight, torch.Tensor) or weight.ndim != 2 or not weight.is_floating_point():
        raise InputError(
            f"the weight of {path} in layer {index} cannot be used",
            found=f"{weight.dtype} {list(weight.shape)}" if isinstance(weight, torch.Tensor) else type(weight).__name__,
            expected="a floating-point matrix",
            hint="load the model without quantisation",
        )
    return weight
