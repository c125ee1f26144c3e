"""Edits as what every way to a worker carries: numbers, texts, bytes, lists and dictionaries."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mwork_eval.checkpoints.edit import Edits, from_plain, plain

Plain = dict[str, dict[str, Any]]
"""By name of a tensor, the `shape` the checkpoint has it in, and the `edits` of its lines."""


def to_wire(edits: Edits, shapes: Mapping[str, Sequence[int]]) -> Plain:
    """Return edits as plain values.

    Args:
        edits: The edits.
        shapes: By name, the shapes of the tensors they are for.
    """
    return {
        name: {"shape": list(shapes[name]), "edits": [_packed(one) for one in of_it]}
        for name, of_it in plain(edits).items()
    }


def from_wire(sent: Plain) -> Edits:
    """Return edits from what `to_wire` made of them."""
    return from_plain({name: [_unpacked(one) for one in entry["edits"]] for name, entry in sent.items()})


def _packed(edit: dict[str, Any]) -> dict[str, Any]:
    if "values" not in edit:
        return edit
    values = edit["values"].detach().cpu().contiguous()
    packed = {
        "shape": list(values.shape),
        "dtype": str(values.dtype).removeprefix("torch."),
        "bytes": values.reshape(-1).view(torch.uint8).numpy().tobytes(),
    }
    return {**edit, "values": packed}


def _unpacked(edit: dict[str, Any]) -> dict[str, Any]:
    if "values" not in edit:
        return edit
    packed = edit["values"]
    values = torch.frombuffer(bytearray(packed["bytes"]), dtype=getattr(torch, packed["dtype"]))
    return {**edit, "values": values.reshape(packed["shape"])}
