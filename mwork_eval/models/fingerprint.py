"""A fingerprint of a model's weights, the same on every device."""

import hashlib
import math
from collections.abc import Iterable, Iterator

import torch
from accelerate.utils import align_module_device
from torch import nn

from mwork_eval.errors import InputError

_SAMPLES = 256
"""Values read per parameter. Reading all of a 7B model would cost seconds at every load."""
_COMPILED = "_orig_mod."
"""What torch.compile puts into the names of the parameters within."""


def fingerprint_of(model: nn.Module) -> str:
    """Return 32 hexadecimal characters that identify the weights of a model.

    Evenly spaced values of every parameter are rounded to bfloat16 first, so that a checkpoint loaded as float32
    and as bfloat16 has one fingerprint. A float32 checkpoint loaded as float16 has another one, because it is
    rounded twice. Two fine-tuned models differ; a masked model differs from its base wherever a masked neuron is
    sampled, so take the fingerprint before masking.

    What torch.compile made of a model or of a part of it has the fingerprint of the model.

    Offloaded weights are brought in one module at a time. Packed weights (4-bit, 8-bit) have another one.

    Raises:
        InputError: If weights are on the meta device and nothing can bring them in.
    """
    return digest_of_values(_read(model))


def sampled_positions(shape: tuple[int, ...]) -> torch.Tensor:
    """Return which entries of a parameter, flattened, are read for the fingerprint `[n]`."""
    size = math.prod(shape)
    return torch.linspace(0, size - 1, min(_SAMPLES, size), dtype=torch.float64).round().long()


def digest_of_values(parameters: Iterable[tuple[str, tuple[int, ...], torch.Tensor]]) -> str:
    """Return the fingerprint of parameters, in the order of the model's modules.

    Args:
        parameters: Per parameter its name, its shape, and in bfloat16 the values at `sampled_positions` `[n]`.
    """
    digest = hashlib.sha256()
    for name, shape, values in parameters:
        digest.update(f"{name.replace(_COMPILED, '')}{shape}".encode())
        digest.update(values.view(torch.int16).cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read(model: nn.Module) -> Iterator[tuple[str, tuple[int, ...], torch.Tensor]]:
    names = {name for name, _ in model.named_parameters()}  # tied weights once
    for path, module in model.named_modules():
        with align_module_device(module):
            for own, parameter in module.named_parameters(recurse=False):
                name = f"{path}.{own}" if path else own
                if name not in names:
                    continue
                if parameter.is_meta:
                    raise InputError(
                        f"the weights of {name} cannot be read",
                        found="no weights in memory",
                        expected="a model loaded with its weights",
                    )
                shape, flat = tuple(parameter.shape), parameter.detach().reshape(-1)
                yield name, shape, flat[sampled_positions(shape).to(flat.device)].to(torch.bfloat16)
