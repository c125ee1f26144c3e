"""Where a module computes, which for offloaded weights is not where they are."""

from typing import Any

import torch


def computing_device(module: Any) -> torch.device:
    """Return the device a module with weights computes on; accelerate brings offloaded weights there for a call."""
    device = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
    found: torch.device = module.weight.device if device is None else torch.device(device)
    return found
