"""The weights that act where an adapter of peft stands beside those of the model."""

from typing import Any

import torch

from mwork_eval.errors import InputError
from mwork_eval.models.blocks import Block


def acting_columns(block: Block) -> torch.Tensor:
    """Return the columns of a projection as its output has them, `[neurons, features]`.

    Without an adapter, or with one that is merged or switched off, these are the model's own; LoRA adds its product.
    Rows need no such care: what they give is seen in the activations.

    Args:
        block: The block of o or down.

    Raises:
        InputError: If the weights are packed or offloaded, or the adapter adds no matrix to them.
    """
    module: Any = block.module
    columns = block.neurons()
    if not hasattr(module, "base_layer") or module.merged or module.disable_adapters:
        return columns
    for name in module.active_adapters:
        if name not in getattr(module, "lora_A", {}) or getattr(module, "use_dora", {}).get(name):
            raise InputError(
                "the adapter cannot be scored through",
                found=f"{name} of type {type(module).__module__}.{type(module).__name__}",
                expected="LoRA on the output or down projection, or any adapter on other projections",
                hint="merge it with `model.merge_and_unload()`",
            )
        added = module.get_delta_weight(name)
        columns = columns + (added if module.fan_in_fan_out else added.T)
    return columns
