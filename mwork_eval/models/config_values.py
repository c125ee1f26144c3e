"""Numbers of a configuration, which some architectures give layer by layer."""

from typing import Any


def numbers(config: Any, name: str) -> list[int]:
    """Return the positive numbers that an entry of a configuration has: one, one a layer, or none.

    Args:
        config: The configuration of a text decoder.
        name: The entry.
    """
    try:
        value = getattr(config, name, None)
    except RuntimeError:  # one that differs between layers may not be asked of all
        value = [getattr(one, name, None) for one in config.per_layer_config]
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, int) and one > 0]


def largest(config: Any, *names: str, default: int) -> int:
    """Return the largest number of the first of some entries that has any, else a default."""
    found = (numbers(config, name) for name in names)
    return max(next((values for values in found if values), [default]))
