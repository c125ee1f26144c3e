"""A fingerprint of a model's weights, the same on every device."""

import hashlib

import torch
from torch import nn

from mwork_eval.errors import InputError

_SAMPLES = 256
"""Values read per parameter. Reading all of a 7B model would cost seconds at every load."""


def fingerprint_of(model: nn.Module) -> str:
    """Return 32 hexadecimal characters that identify the weights of a model.

    Evenly spaced values of every parameter are rounded to bfloat16 first, so that a checkpoint loaded as float32
    and as bfloat16 has one fingerprint. A float32 checkpoint loaded as float16 has another one, because it is
    rounded twice. Two fine-tuned models differ; a masked model differs from its base wherever a masked neuron is
    sampled, so take the fingerprint before masking.

    Raises:
        InputError: If weights are offloaded.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise InputError(
                f"the weights of {name} cannot be read",
                found="offloaded weights",
                expected="all weights in memory",
                hint="load without offloading",
            )
        flat = parameter.detach().reshape(-1)
        positions = torch.linspace(0, flat.numel() - 1, min(_SAMPLES, flat.numel()), dtype=torch.float64)
        values = flat[positions.round().long().to(flat.device)].to(torch.bfloat16)
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        digest.update(values.view(torch.int16).cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
