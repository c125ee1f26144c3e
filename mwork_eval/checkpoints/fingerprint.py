"""The fingerprint of a model's weights, read off its checkpoint."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from mwork_eval.checkpoints.origins import Origins
from mwork_eval.checkpoints.stored_tensor import StoredTensor
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import digest_of_values, sampled_positions

Tensor = torch.Tensor


def fingerprint_of_stored(model: nn.Module, origins: Origins, stored: Mapping[str, StoredTensor]) -> str:
    """Return what `fingerprint_of` says of a model loaded from a checkpoint.

    Args:
        model: The model, on the meta device.
        origins: Where its parameters are.
        stored: The checkpoint's tensors by name.

    Raises:
        InputError: If the checkpoint lacks a parameter, or it is of a packed type.
    """

    def values() -> Iterator[tuple[str, tuple[int, ...], Tensor]]:
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            yield name, shape, _values(origins, stored, name, shape)

    return digest_of_values(values())


def _values(origins: Origins, stored: Mapping[str, StoredTensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """Return the sampled values of a parameter `[n]`."""
    sampled = sampled_positions(shape)
    at = torch.unravel_index(sampled, shape)
    # Rows first: a line that transformers leaves as it is may run along another axis.
    error = None
    for along in [None] if len(shape) < 2 else reversed(range(len(shape))):
        others = tuple(one for number, one in enumerate(at) if number != along)
        found: Tensor | None = None
        try:
            for source, axis, where, which in origins.lines(name, along, others):
                place = list(where)
                if axis is not None and along is not None:
                    place.insert(axis, at[along][which])
                read = stored[source].values(tuple(place)).to(torch.bfloat16)
                found = torch.zeros(len(sampled), dtype=torch.bfloat16) if found is None else found
                found[which] = read
        except InputError as caught:
            error = error or caught
            continue
        assert found is not None
        return found
    assert error is not None
    raise error
