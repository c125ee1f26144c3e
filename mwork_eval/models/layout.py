"""Where the neurons of a model are: layers, structures, sizes and heads, read off the modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from mwork_eval.errors import InputError
from mwork_eval.models.blocks import Block, experts_block, features_of, projection_block, without_adapters
from mwork_eval.models.families import FAMILIES, Family, Matrices, Matrix, find_family
from mwork_eval.models.placement import computing_device
from mwork_eval.models.slices import Heads
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.structures import COLUMN_STRUCTURES, STRUCTURES


@dataclass(frozen=True)
class Layout:
    """A model seen as layers of structures; it may live on the meta device.

    Attributes:
        model: The causal language model (wrappers of PEFT and torch.compile are looked through).
        family: Its row in the table of families.
        decoder: The text decoder, whose forward computes hidden states and no logits.
        layers: Its layers.
        heads: Head counts per layer.
        blocks: Per (layer, structure), the neurons.
        shape: Neuron counts.
    """

    model: nn.Module
    family: Family
    decoder: nn.Module
    layers: tuple[nn.Module, ...]
    heads: tuple[Heads, ...]
    blocks: Mapping[Place, Block]
    shape: ModelShape

    @classmethod
    def of(cls, model: Any) -> "Layout":
        """Find the neurons of a model.

        Raises:
            InputError: If the family is not supported or a projection is not where its family keeps it.
        """
        base = base_of(model)
        model_type = getattr(getattr(base, "config", None), "model_type", type(base).__name__)
        family = find_family(model_type)
        if family is None:
            raise InputError(
                "unsupported model family",
                found=model_type,
                expected="one of " + " ".join(row.name for row in FAMILIES),
                hint="CONTRIBUTING.md, 'How to add a model family', tells how to add one",
            )
        decoder = base.get_decoder()
        layers = tuple(decoder.get_submodule(family.layers))
        query_heads = int(decoder.config.num_attention_heads)
        heads, blocks, sizes = [], {}, []
        for index, layer in enumerate(layers):
            matrices = {**family.attention_matrices, **_feed_forward(family, layer, index)}
            heads.append(_heads(layer, matrices, query_heads, index))
            for structure in STRUCTURES:
                if structure in matrices:
                    blocks[index, structure] = _block(layer, matrices[structure], structure, heads[-1], index)
            sizes.append({s: blocks[index, s].size for s in STRUCTURES if (index, s) in blocks})
        experts = tuple(blocks[index, "up"].experts for index in range(len(layers)))
        shape = ModelShape(family.name, tuple(sizes), experts if any(experts) else ())
        return cls(base, family, decoder, layers, tuple(heads), blocks, shape)

    def weight(self, layer: int, structure: str) -> torch.Tensor:
        """Return the weights of a structure `[neurons, features]`: rows, or for o and down columns.

        Raises:
            InputError: If they are packed or offloaded.
        """
        return self.blocks[layer, structure].neurons()

    def attention(self, layer: int) -> nn.Module:
        """Return the attention module of a layer."""
        return self.layers[layer].get_submodule(self.family.attention)

    @cached_property
    def in_memory(self) -> bool:
        """Whether all weights are in memory as plain numbers: neither packed nor offloaded."""
        return all(block.in_memory for block in self.blocks.values())

    @property
    def weights_per_token(self) -> int:
        """Number of neurons' weights that a token meets in all layers; only experts it is sent to count."""
        sent_to = int(getattr(self.decoder.config, "num_experts_per_tok", None) or 1)
        return sum(
            self.shape.sizes[layer][structure] * block.weight.shape[-1] * sent_to // block.experts
            if block.experts
            else self.shape.sizes[layer][structure] * block.weight.shape[-1]
            for (layer, structure), block in self.blocks.items()
            if block.weight is not None
        )

    @property
    def device(self) -> torch.device:
        """Device of the input embeddings, where token ids go."""
        return computing_device(self.decoder.get_input_embeddings())  # type: ignore[operator]


def base_of(model: Any) -> Any:
    """Return the model of transformers inside wrappers of peft, whose adapters lie in its layers, and torch.compile."""
    model = uncompiled(model)
    return uncompiled(model.get_base_model()) if hasattr(model, "get_base_model") else model


def uncompiled(model: Any) -> Any:
    """Return the model that torch.compile made a model of, which has the same modules and weights; or the model."""
    # Not getattr: the wrapper of peft would pass on the question, and be dropped.
    inner = getattr(model, "_modules", {}).get("_orig_mod")
    return model if inner is None else inner


def _feed_forward(family: Family, layer: nn.Module, index: int) -> Matrices:
    for alternative in family.feed_forward:
        if _find(layer, alternative["up"].path) is not None:
            return alternative
    raise _missing(family.feed_forward[-1]["up"].path, index)


def _heads(layer: nn.Module, matrices: Matrices, query_heads: int, index: int) -> Heads:
    """Read the head counts off the projections; only the number of query heads is taken from the configuration."""
    width = features_of(without_adapters(_module(layer, matrices["o"].path, index)))[0] // query_heads
    rows = features_of(without_adapters(_module(layer, matrices["k"].path, index)))[1] // width
    fused = matrices["q"].path == matrices["k"].path
    return Heads(query_heads, (rows - query_heads) // 2 if fused else rows, width)


def _block(layer: nn.Module, matrix: Matrix, structure: str, heads: Heads, index: int) -> Block:
    if matrix.experts:
        path, _, name = matrix.path.rpartition(".")
        module = _module(layer, path, index)
        inner = without_adapters(module)
        return experts_block(inner, getattr(inner, name), matrix, heads, adapted=inner is not module)
    return projection_block(_module(layer, matrix.path, index), matrix, heads, column=structure in COLUMN_STRUCTURES)


def _module(layer: nn.Module, path: str, index: int) -> nn.Module:
    found = _find(layer, path)
    if not isinstance(found, nn.Module):
        raise _missing(path, index)
    return found


def _find(layer: nn.Module, path: str) -> object:
    found: object = layer
    for name in path.split("."):
        found = getattr(found if hasattr(found, name) else without_adapters(found), name, None)
    return found


def _missing(path: str, index: int) -> InputError:
    return InputError(f"layer {index} has no {path}", hint="CONTRIBUTING.md tells how to add a family")
