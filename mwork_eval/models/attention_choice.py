"""Which attention a model computes with, for a while: its configurations name it, one in each of a model's parts."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import PreTrainedConfig


@contextmanager
def attending_by(model: nn.Module, implementation: str) -> Iterator[None]:
    """Let all parts of a model attend in one way during a block; then each has its own way back.

    Args:
        model: The model; its configurations are changed.
        implementation: `eager`, or a name that is registered with transformers' `AttentionInterface`.
    """
    before = [(config, config._attn_implementation) for config in _configs_within(model)]
    try:
        for config, _ in before:
            config._attn_implementation = implementation
        yield
    finally:
        for config, own in before:
            config._attn_implementation = own


def _configs_within(model: nn.Module) -> list[PreTrainedConfig]:
    """Return every configuration within a model, outer ones first: setting one sets those inside it."""
    held = {id(config): config for part in model.modules() if (config := _config_of(part)) is not None}
    found: dict[int, PreTrainedConfig] = {}
    left = list(held.values())
    while left:
        config = left.pop(0)
        # One that was met before, without what it lies in, comes after that.
        found.pop(id(config), None)
        found[id(config)] = config
        inner = (getattr(config, name, None) for name in config.sub_configs)
        left += [one for one in inner if isinstance(one, PreTrainedConfig)]
    return list(found.values())


def _config_of(module: nn.Module) -> PreTrainedConfig | None:
    config = getattr(module, "config", None)
    return config if isinstance(config, PreTrainedConfig) else None
