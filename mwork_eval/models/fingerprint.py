"""A fingerprint of a model's weights, the same on every device."""

import hashlib

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
    digest = hashlib.sha256()
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
                flat = parameter.detach().reshape(-1)
                positions = torch.linspace(0, flat.numel() - 1, min(_SAMPLES, flat.numel()), dtype=torch.float64)
                values = flat[positions.round().long().to(flat.device)].to(torch.bfloat16)
                digest.update(f"{name.replace(_COMPILED, '')}{tuple(parameter.shape)}".encode())
                digest.update(values.view(torch.int16).cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
