"""Queries, keys and inputs of the output projection without some neurons, by running an attention module again."""

from collections.abc import Callable

import torch

from mwork_eval.detection.scoring.attention import Without
from mwork_eval.detection.scoring.captured import CapturedAttention

Tensor = torch.Tensor


def states_without(captured: CapturedAttention, of_keys: CapturedAttention, document: int, length: int) -> Without:
    """Return what gives queries and keys of a document without some neurons.

    Args:
        captured: The attention.
        of_keys: The one whose keys it uses.
        document: The document.
        length: Its number of tokens.
    """

    def without(channels: Tensor, head: int | None) -> tuple[Tensor, Tensor]:
        sides = (("q", captured), ("k", of_keys))
        zeroed = [{s: _in_heads(one, s, int(i), head) for s, one in sides} for i in channels]
        query, key = captured.states(document, zeroed)
        if of_keys is not captured:
            key = of_keys.states(document, zeroed)[1]
        return query[:, :, :length], key[:, :, :length]

    return without


def inputs_without(captured: CapturedAttention, document: int, length: int) -> Callable[[Tensor, int | None], Tensor]:
    """Return what gives the input of the output projection for a document without some value neurons."""

    def without(channels: Tensor, head: int | None) -> Tensor:
        zeroed = [{"v": _in_heads(captured, "v", int(i), head)} for i in channels]
        return captured.inputs(document, zeroed)[:, :length]

    return without


def _in_heads(captured: CapturedAttention, structure: str, channel: int, head: int | None) -> Tensor:
    """Return the neurons of one channel in one head, or in every head; none if it has no neurons."""
    count = captured.attention.heads.query if structure == "q" else captured.attention.heads.groups
    width = captured.blocks[structure].size // count
    heads = torch.arange(count) if head is None else torch.arange(head, min(head + 1, count))
    return heads * width + channel if channel < width else heads[:0]
