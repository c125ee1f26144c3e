"""Evaluation mode for a while: dropout off, and every module back in its own mode afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode inside the context; each module's own mode comes back, also after an exception.

    `model.train()` afterwards would not do: part of a model may have been kept in evaluation mode on purpose.

    Args:
        model: The model; changed in place.
    """
    training = [module for module in model.modules() if module.training]
    try:
        model.eval()
        yield
    finally:
        for module in training:
            module.training = True
