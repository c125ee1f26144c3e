"""A fingerprint of a model's weights: the same for the same checkpoint, whatever device or dtype it is loaded in."""

import hashlib

import torch

from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.structures import STRUCTURES

_SAMPLES = 256
"""Values read per matrix. Reading all of a 7B model would cost seconds at every load."""


def fingerprint_of(layout: Layout) -> str:
    """Return 32 hexadecimal characters that identify the weights of all structures of all layers.

    Evenly spaced values of every matrix are rounded to bfloat16 first, so that a checkpoint loaded as float32
    and as bfloat16 has one fingerprint. Two fine-tuned models differ; a masked model differs from its base
    wherever a masked neuron is sampled, so take the fingerprint before masking.

    Raises:
        InputError: If weights are offloaded.
    """
    digest = hashlib.sha256()
    for layer in range(layout.shape.layers):
        for structure in STRUCTURES:
            weight = layout.weight(layer, structure).detach()
            if weight.is_meta:
                raise InputError(
                    f"the weights of layer {layer} cannot be read",
                    found="offloaded weights",
                    expected="all weights in memory",
                    hint="load without offloading",
                )
            flat = weight.reshape(-1)
            positions = torch.linspace(0, flat.numel() - 1, min(_SAMPLES, flat.numel()), dtype=torch.float64)
            values = flat[positions.round().long().to(flat.device)].to(torch.bfloat16)
            digest.update(f"{layer}.{structure}.{tuple(weight.shape)}".encode())
            digest.update(values.view(torch.int16).cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
