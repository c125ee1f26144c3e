"""Where the activations of neurons are: what zeroing a neuron sets to zero.

Of q, k and v that is an output channel of the projection, before norms and rotation; of o an input channel; of a
feed-forward switch an input channel of down, act(gate) · up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from mwork_eval.interventions.switches import block_of_part
from mwork_eval.models.blocks import Block
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import Indices, Place
from mwork_eval.neurons.structures import FEED_FORWARD

Tensor = torch.Tensor


@dataclass(frozen=True)
class Site:
    """Neurons whose activations are channels of one module.

    Attributes:
        block: Whose module it is: `block.channels` of the neurons are the channels; of experts there are none.
        inside: Indices of the neurons in the block `[n]`.
        place: Layer and structure by which their activations are known: `up` for feed-forward switches.
        neurons: Their indices there `[n]`.
        is_input: Whether they are what goes into the module, not what comes out.
    """

    block: Block
    inside: Tensor
    place: Place
    neurons: Tensor
    is_input: bool


def activation_sites(layout: Layout, indices: Mapping[Place, Indices]) -> Iterator[Site]:
    """Yield where the activations of neurons are, each channel once.

    Args:
        layout: The model.
        indices: Per layer and structure, the neurons; gate, up and down of one index are one.
    """
    seen: dict[tuple[int, bool], Tensor] = {}
    for site in (*_in_attention(layout, indices), *_in_feed_forward(layout, indices)):
        if site.block.channels is None:
            yield site
            continue
        # One matrix may be two structures, as where keys are values as well.
        key, channels = (id(site.block.module), site.is_input), site.block.channels[site.inside]
        new = ~torch.isin(channels, seen.get(key, channels[:0]))
        seen[key] = torch.cat([seen.get(key, channels[:0]), channels[new]])
        if new.any():
            yield Site(site.block, site.inside[new], site.place, site.neurons[new], site.is_input)


def _in_attention(layout: Layout, indices: Mapping[Place, Indices]) -> Iterator[Site]:
    for place, members in indices.items():
        if place[1] not in FEED_FORWARD:
            for block, own in layout.located(place, torch.from_numpy(members.astype("int64"))):
                yield Site(block, own, place, own + block.start, place[1] == "o")


def _in_feed_forward(layout: Layout, indices: Mapping[Place, Indices]) -> Iterator[Site]:
    for layer in sorted({layer for layer, structure in indices if structure in FEED_FORWARD}):
        for part in layout.feed_forwards[layer]:
            chosen: set[int] = set()
            for structure in FEED_FORWARD:
                if structure in part.blocks and (layer, structure) in indices:
                    block, members = block_of_part(layout, layer, part, structure), indices[layer, structure]
                    inside = members[(members >= block.start) & (members < block.start + block.size)]
                    chosen.update((inside - block.start).tolist())
            if chosen:
                own = torch.tensor(sorted(chosen))
                up, down = (block_of_part(layout, layer, part, structure) for structure in ("up", "down"))
                yield Site(down, own, (layer, "up"), own + up.start, is_input=True)
