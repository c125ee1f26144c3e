"""Which part of a weight matrix a structure is: families that fuse several structures into one matrix differ here.

A slice takes a tensor whose first dimension is the matrix's output (a weight `[out, in]`, a bias `[out]`, or the
channel numbers themselves) and returns a view of it whose leading dimensions count the neurons.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class Heads:
    """Head counts of an attention layer.

    Attributes:
        query: H, the number of query heads.
        groups: G, the number of key and value heads.
        width: d, channels per head.
    """

    query: int
    groups: int
    width: int


Slice = Callable[[Tensor, Heads], Tensor]


def whole(tensor: Tensor, _: Heads) -> Tensor:
    """Return a matrix that holds one structure only."""
    return tensor


def stacked(part: str) -> Slice:
    """Return the slice of q, k or v in a matrix whose rows are all of q, then k, then v (Phi-3, GPT-2)."""

    def take(tensor: Tensor, heads: Heads) -> Tensor:
        query, group = heads.query * heads.width, heads.groups * heads.width
        start, size = {"q": (0, query), "k": (query, group), "v": (query + group, group)}[part]
        return tensor.narrow(0, start, size)

    return take


def grouped(part: str) -> Slice:
    """Return the slice of q, k or v in a matrix that holds, group by group, its query heads, its key and its value.

    BLOOM and GPT-NeoX have one query head in a group, Falcon 7B all of them in one, Falcon 40B several in each.
    """

    def take(tensor: Tensor, heads: Heads) -> Tensor:
        view: Tensor = tensor.unflatten(0, (heads.groups, heads.query // heads.groups + 2, heads.width))
        return {"q": view[:, :-2], "k": view[:, -2], "v": view[:, -1]}[part]

    return take


def half(number: int) -> Slice:
    """Return the slice of gate (0) or up (1) in a matrix whose rows are all of gate, then up (Phi-3)."""

    def take(tensor: Tensor, _: Heads) -> Tensor:
        size = tensor.shape[0] // 2
        return tensor.narrow(0, number * size, size)

    return take


def expert_half(number: int) -> Slice:
    """Return gate (0) or up (1) of all experts in a tensor `[experts, 2·d_inter, d_model]`."""

    def take(tensor: Tensor, _: Heads) -> Tensor:
        size = tensor.shape[1] // 2
        return tensor.narrow(1, number * size, size)

    return take


def expert_columns(tensor: Tensor, _: Heads) -> Tensor:
    """Return the columns of all experts in a tensor `[experts, d_model, d_inter]`."""
    return tensor.transpose(1, 2)
