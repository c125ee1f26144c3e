"""Which rows of a matrix a structure is, where a family fuses several structures into one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class Heads:
    """Head counts of an attention layer.

    Attributes:
        query: H, the number of query heads.
        groups: G, the number of key and value heads.
        width: d, channels of a query or key per head.
        value_width: Channels of a value per head; d unless attention is latent.
    """

    query: int
    groups: int
    width: int
    value_width: int


Rows = Callable[[Heads], Mapping[str, Tensor]]
"""Gives, for q, k and v, the rows of a fused matrix that are its neurons, in the order of heads and channels."""


def stacked(heads: Heads) -> Mapping[str, Tensor]:
    """Return the rows where all of q comes first, then k, then v (Phi-3, GPT-2, MPT)."""
    query, key, value = heads.query * heads.width, heads.groups * heads.width, heads.groups * heads.value_width
    rows = torch.arange(query + key + value)
    return dict(zip("qkv", rows.split([query, key, value]), strict=True))


def grouped(heads: Heads) -> Mapping[str, Tensor]:
    """Return the rows where each group has its query heads, its key and its value after each other.

    BLOOM and GPT-NeoX have one query head in a group, Falcon 7B all of them in one, Falcon 40B several in each.
    """
    shape = (heads.groups, heads.query // heads.groups + 2, heads.width)
    rows = torch.arange(shape[0] * shape[1] * shape[2]).view(shape)
    return {"q": rows[:, :-2].flatten(), "k": rows[:, -2].flatten(), "v": rows[:, -1].flatten()}


def in_four_parts(heads: Heads) -> Mapping[str, Tensor]:
    """Return the rows of CodeGen: four parts of the heads, each with its q, then v, then k."""
    rows = torch.arange(3 * heads.query * heads.width).view(4, 3, -1)
    return {"q": rows[:, 0].flatten(), "k": rows[:, 2].flatten(), "v": rows[:, 1].flatten()}


def first_of_each_head(count: int, width: int, rows: int) -> Tensor:
    """Return the first ``width`` rows of each of ``count`` heads that share ``rows`` rows evenly."""
    return torch.arange(rows).view(count, -1)[:, :width].flatten()
