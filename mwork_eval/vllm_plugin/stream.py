"""A checkpoint's tensors on their way into a model, some of them edited."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from mwork_eval.vllm_plugin.wire import Plain, from_wire

Report = dict[str, Any]
"""What one load on one rank met: `met`, how often by name, and `shapes` of what had another shape than expected."""


def edited(
    stream: Iterable[tuple[str, torch.Tensor]], sent: Plain, report: Report
) -> Iterator[tuple[str, torch.Tensor]]:
    """Pass tensors on, those that edits name as edited copies.

    A tensor may be mapped from a file or shared with others, so none is written to. What does not fit is passed on as
    it is and reported: an exception in a worker would take the engine down without a word of ours.

    Args:
        stream: Names and tensors, as the checkpoint has them.
        sent: The edits.
        report: Is filled in as the stream goes by.
    """
    edits = from_wire(sent)
    report |= {"met": {}, "shapes": {}}
    for name, tensor in stream:
        if name not in edits:
            yield name, tensor
            continue
        report["met"][name] = report["met"].get(name, 0) + 1
        if list(tensor.shape) != sent[name]["shape"]:
            report["shapes"][name] = list(tensor.shape)
            yield name, tensor
            continue
        own = tensor.clone()
        for edit in edits[name]:
            edit.write(own)
        yield name, own
