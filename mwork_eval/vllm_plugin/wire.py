"""Edits as what every way to a worker carries: numbers, texts, bytes, lists and dictionaries."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mwork_eval.checkpoints.edit import Edit, Edits

Tensor = torch.Tensor

Plain = dict[str, dict[str, Any]]
"""By name of a tensor, the `shape` the checkpoint has it in, and the `edits` of its lines."""


def to_wire(edits: Edits, shapes: Mapping[str, Sequence[int]]) -> Plain:
    """Return edits as plain values.

    Args:
        edits: The edits.
        shapes: By name, the shapes of the tensors they are for.
    """
    return {name: {"shape": list(shapes[name]), "edits": list(map(_packed, of_it))} for name, of_it in edits.items()}


def from_wire(sent: Plain) -> Edits:
    """Return edits from what `to_wire` made of them."""
    return {name: tuple(map(_unpacked, entry["edits"])) for name, entry in sent.items()}


def _packed(edit: Edit) -> dict[str, Any]:
    packed: dict[str, Any] = {"along": edit.along, "at": [axis.tolist() for axis in edit.at]}
    if edit.factor is not None:
        packed["factor"] = edit.factor
    if edit.values is not None:
        values = edit.values.detach().cpu().contiguous()
        packed["values"] = {
            "shape": list(values.shape),
            "dtype": str(values.dtype).removeprefix("torch."),
            "bytes": values.reshape(-1).view(torch.uint8).numpy().tobytes(),
        }
    return packed


def _unpacked(edit: Mapping[str, Any]) -> Edit:
    return Edit(edit["along"], tuple(map(torch.tensor, edit["at"])), _values(edit.get("values")), edit.get("factor"))


def _values(packed: Mapping[str, Any] | None) -> Tensor | None:
    if packed is None:
        return None
    values = torch.frombuffer(bytearray(packed["bytes"]), dtype=getattr(torch, packed["dtype"]))
    return values.reshape(packed["shape"])
