"""Activation counts of LAPE and of what was built on it: `{"n": tokens, "over_zero": [layers, d_inter]}`.

Counted are tokens whose act(gate) is above 0, without a gate act(up): what the column `over_zero` of a score file
counts at `up`. NJUNLP calls the number of tokens `total_tokens`. CLaS-Bench and Language-Neurons-Manipulation add
`average_activations`, the mean of act(gate): without a gate that is the mean activation, with one it is another
quantity than act(gate)·up, which is what zeroing switches off, and is left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.errors import InputError
from mwork_eval.interchange.limits import damaged
from mwork_eval.interchange.target import Target
from mwork_eval.interchange.torch_file import read_torch
from mwork_eval.neurons.neuron_set import Place

_TOKENS = ("n", "total_tokens")
_MEANS = "average_activations"
_EXPECTED = '{"n": tokens, "over_zero": integers [layers, d_inter]}'
Columns = dict[str, dict[Place, npt.NDArray[Any]]]


@dataclass(frozen=True)
class ActivationCounts:
    """What a file of counts holds.

    Attributes:
        tokens: Number of tokens.
        columns: `over_zero` int32 and, where it is that, `activation_mean` float32, by place `[neurons]`.
        left_out: Names of what the file has beside them that no column holds.
    """

    tokens: int
    columns: Columns
    left_out: tuple[str, ...]


def read_counts(path: Path, target: Target) -> ActivationCounts:
    """Read the counts of one language.

    Raises:
        InputError: If the file is something else, could run code, does not fit the model, or counts more than there is.
    """
    value = read_torch(path)
    if not isinstance(value, dict) or "over_zero" not in value:
        raise damaged(path, f"a {type(value).__name__} without over_zero", _EXPECTED)
    tokens = _whole(path, next((value[name] for name in _TOKENS if name in value), None))
    counts = _matrix(path, "over_zero", value["over_zero"], target, "iu")
    if counts.min() < 0 or counts.max() > tokens:
        found = f"{counts.min()} to {counts.max()} of {tokens} tokens"
        raise damaged(path, found, "counts of tokens")
    columns = {"over_zero": _by_place(counts.astype(np.int32), target)}
    left_out = {str(name) for name in value} - {"over_zero", *_TOKENS}
    if _MEANS in value and not any("gate" in sizes for sizes in target.shape.sizes):
        means = _matrix(path, _MEANS, value[_MEANS], target, "f").astype(np.float32)
        if not np.isfinite(means).all():
            raise damaged(path, f"{_MEANS} with nan or infinity", "finite numbers")
        columns["activation_mean"] = _by_place(means, target)
        left_out.remove(_MEANS)
    return ActivationCounts(tokens, columns, tuple(sorted(left_out)))


def _by_place(matrix: npt.NDArray[Any], target: Target) -> dict[Place, npt.NDArray[Any]]:
    return {(layer, "up"): np.ascontiguousarray(matrix[layer]) for layer in range(target.shape.layers)}


def _matrix(path: Path, name: str, value: Any, target: Target, kinds: str) -> npt.NDArray[Any]:
    """Return a tensor of the model's layers and feed-forward neurons, which must all have as many."""
    sizes = {target.size(layer, "up") for layer in range(target.shape.layers)}
    expected = [target.shape.layers, max(sizes)]
    found = list(value.shape) if hasattr(value, "shape") else f"a {type(value).__name__}"
    if found != expected or len(sizes) > 1:
        raise InputError(
            f"{path} does not fit the model",
            found=f"{name} {found}",
            expected=f"{expected} of {target.name}",
            hint="look at the model",
        )
    # Types that numpy does not have, such as bfloat16, become one that it has.
    array: npt.NDArray[Any] = (value.float() if value.is_floating_point() else value).numpy()
    if array.dtype.kind not in kinds:
        raise damaged(path, f"{name} of type {array.dtype}", _EXPECTED)
    return array


def _whole(path: Path, value: Any) -> int:
    if hasattr(value, "numel") and value.numel() == 1:
        value = value.item()
    if type(value) is not int or not 0 < value < 2**31:
        raise damaged(path, f"{value!r} tokens" if isinstance(value, int | float) else "no number of tokens", _EXPECTED)
    return value
