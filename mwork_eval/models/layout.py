"""Where the neurons of a model are: layers, structures, sizes and heads, read off the modules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from mwork_eval.errors import InputError
from mwork_eval.models.blocks import Block, projection_block
from mwork_eval.models.config_values import largest
from mwork_eval.models.feed_forwards import FeedForward, find_feed_forwards, starting_at
from mwork_eval.models.find_projections import trace_attention
from mwork_eval.models.mixers import SoftmaxAttention, find_attentions, find_other_mixers, not_understood
from mwork_eval.models.placement import computing_device
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.structures import ATTENTION, FEED_FORWARD

_SENT_TO = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk", "moe_top_k", "moe_k")
"""Configuration entries that say how many experts a token is sent to."""


@dataclass(frozen=True)
class Layout:
    """A model seen as layers of structures; it may live on the meta device.

    Attributes:
        model: The causal language model (wrappers of PEFT and torch.compile are looked through).
        family: Name of its architecture, the same for a text model and for the text part of a multimodal one.
        decoder: The text decoder, whose forward computes hidden states and no logits.
        layers: Its layers.
        attentions: Per layer, its softmax attention: usually one, none where another mixer stands, two in LongCat.
        other_mixers: Per layer, the kinds of mixers without queries and keys (linear attention, state space,
            convolution) by their paths inside it.
        feed_forwards: Per layer, the parts of its feed-forward: routed experts first, then dense and shared ones.
        blocks: Per (layer, structure), the neurons: a block for each attention or each part of the feed-forward.
        shape: Neuron counts.
    """

    model: nn.Module
    family: str
    decoder: nn.Module
    layers: tuple[nn.Module, ...]
    attentions: tuple[tuple[SoftmaxAttention, ...], ...]
    other_mixers: tuple[Mapping[str, str], ...]
    feed_forwards: tuple[tuple[FeedForward, ...], ...]
    blocks: Mapping[Place, tuple[Block, ...]]
    shape: ModelShape

    @classmethod
    def of(cls, model: Any) -> "Layout":
        """Find the neurons of a model.

        Raises:
            InputError: If the model has no layers, or a part of one is not understood.
        """
        base = base_of(model)
        decoder, layers = decoder_of(base)
        config: Any = decoder.config
        width = int(config.hidden_size)
        loaded = not any(parameter.is_meta for parameter in base.parameters())
        trace = partial(trace_attention, base, decoder) if loaded else None
        attentions, mixers, forwards = [], [], []
        blocks: dict[Place, tuple[Block, ...]] = {}
        sizes, experts, shared = [], [], []
        for number, layer in enumerate(layers):
            attentions.append(find_attentions(layer, config, number, trace))
            mixers.append(find_other_mixers(layer, attentions[-1]))
            taken = [*(one.path for one in attentions[-1]), *mixers[-1]]
            forwards.append(find_feed_forwards(layer, width, taken))
            if not attentions[-1] and not mixers[-1] and not forwards[-1]:
                raise not_understood(number, "", layer, "attention and feed-forward")
            found = {s: tuple(_attention_blocks(attentions[-1], s)) for s in ATTENTION}
            found |= {s: tuple(starting_at(forwards[-1], s)) for s in FEED_FORWARD}
            blocks |= {(number, structure): of_it for structure, of_it in found.items() if of_it}
            sizes.append({s: sum(block.size for block in of_it) for s, of_it in found.items() if of_it})
            routed = [part for part in forwards[-1] if part.kind != "dense"]
            experts.append(sum(part.blocks["up"].experts or 1 for part in routed))
            shared.append(sum(p.blocks["up"].size for p in forwards[-1] if p.kind == "dense") if routed else 0)
        if not any(forwards):
            raise not_understood(0, "", layers[0], "feed-forward" if blocks else "attention and feed-forward")
        _refuse_shared_weights(blocks)
        shape = ModelShape(
            family_name(str(config.model_type)),
            tuple(sizes),
            tuple(experts) if any(experts) else (),
            tuple(shared) if any(shared) else (),
        )
        parts = tuple(attentions), tuple(mixers), tuple(forwards)
        return cls(base, shape.family, decoder, layers, *parts, blocks, shape)

    def weight(self, layer: int, structure: str) -> torch.Tensor:
        """Return the weights of a structure `[neurons, features]`: rows, or for o and down columns.

        Raises:
            InputError: If they are packed or offloaded.
        """
        of_it = [block.neurons() for block in self.blocks[layer, structure]]
        return of_it[0] if len(of_it) == 1 else torch.cat(of_it)

    def located(self, place: Place, indices: torch.Tensor) -> Iterator[tuple[Block, torch.Tensor]]:
        """Yield the blocks that hold some neurons of a structure, each with the indices inside it `[m]`.

        Args:
            place: Layer and structure.
            indices: Indices of neurons `[n]`.
        """
        for block in self.blocks[place]:
            inside = indices[(indices >= block.start) & (indices < block.start + block.size)]
            if len(inside):
                yield block, inside - block.start

    @property
    def model_type(self) -> str:
        """The `model_type` of the decoder's configuration."""
        config: Any = self.decoder.config
        return str(config.model_type)

    @cached_property
    def all_blocks(self) -> tuple[Block, ...]:
        """All blocks of all layers."""
        return tuple(block for of_it in self.blocks.values() for block in of_it)

    @cached_property
    def in_memory(self) -> bool:
        """Whether all weights are in memory as plain numbers: neither packed nor offloaded."""
        return all(block.in_memory for block in self.all_blocks)

    @property
    def weights_per_token(self) -> int:
        """Number of neurons' weights that a token meets in all layers; only experts it is sent to count."""
        sent_to = largest(self.decoder.config, *_SENT_TO, default=1)
        return sum(
            block.size * block.weight.shape[-1] * (sent_to if block.experts else 1) // max(block.experts, 1)
            for block in self.all_blocks
            if block.weight is not None
        )

    @property
    def device(self) -> torch.device:
        """Device of the input embeddings, where token ids go."""
        return computing_device(self.model.get_input_embeddings())  # type: ignore[operator]

    @property
    def dtype(self) -> str:
        """Type of the weights, as torch writes it.

        Raises:
            InputError: If they are packed or offloaded.
        """
        first = self.all_blocks[0]
        weight = first.weight if first.weight is not None and first.in_memory else first.neurons()
        return str(weight.dtype).removeprefix("torch.")


def base_of(model: Any) -> Any:
    """Return the model of transformers inside wrappers of peft, whose adapters lie in its layers, and torch.compile."""
    model = uncompiled(model)
    return uncompiled(model.get_base_model()) if hasattr(model, "get_base_model") else model


def uncompiled(model: Any) -> Any:
    """Return the model that torch.compile made a model of, which has the same modules and weights; or the model."""
    # Not getattr: the wrapper of peft would pass on the question, and be dropped.
    inner = getattr(model, "_modules", {}).get("_orig_mod")
    return model if inner is None else inner


def family_name(model_type: str) -> str:
    """Return the name of an architecture in files and messages: `gemma3` for the model type `gemma3_text`."""
    return model_type.removesuffix("_text").replace("_", "-")


def decoder_of(base: Any) -> tuple[Any, tuple[nn.Module, ...]]:
    """Find the text decoder and its layers: the list of the decoder's length that holds most parameters.

    `get_decoder` of transformers gives the whole model of some architectures, and the output embeddings of others.

    Raises:
        InputError: If there is no list of layers.
    """
    config: Any = getattr(base, "config", None)
    text = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
    count = getattr(text, "num_hidden_layers", None)
    found: list[tuple[tuple[bool, int], Any, nn.ModuleList]] = []
    for path, module in base.named_modules() if isinstance(base, nn.Module) else ():
        if isinstance(module, nn.ModuleList) and len(module):
            owner = base.get_submodule(path.rpartition(".")[0])
            if hasattr(owner, "config"):
                size = sum(parameter.numel() for parameter in module.parameters())
                found.append(((len(module) == count, size), owner, module))
    if not found:
        raise InputError(
            "the architecture is not understood: no list of decoder layers",
            found=str(getattr(config, "model_type", type(base).__name__)),
            expected="a causal language model of transformers whose layers are in a list",
            hint="CONTRIBUTING.md, 'How to add an architecture'; please report the model",
        )
    _, owner, layers = max(found, key=lambda one: one[0])
    return owner, tuple(layers)


def _refuse_shared_weights(blocks: Mapping[Place, tuple[Block, ...]]) -> None:
    """Refuse layers that are one block of weights: a neuron of one would be off in the others, unscored (Zamba)."""
    owners: dict[int, int] = {}
    for (layer, _), of_it in blocks.items():
        for parameter in (p for block in of_it for p in block.module.parameters()):
            if (owner := owners.setdefault(id(parameter), layer)) != layer:
                raise InputError(
                    "the architecture is not reached: its layers share a block of weights",
                    found=f"the same weights in layers {owner} and {layer}",
                    expected="a matrix that one layer uses",
                )


def _attention_blocks(attentions: tuple[SoftmaxAttention, ...], structure: str) -> Iterator[Block]:
    start = 0
    for attention in attentions:
        if structure in attention.projections:
            one = attention.projections[structure]
            block = projection_block(one.module, one.rows, column=structure == "o", start=start)
            yield block
            start += block.size
