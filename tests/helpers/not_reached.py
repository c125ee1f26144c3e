"""Architectures in which a score or a mask is not what zeroing the neuron gives, with the reason."""

NOT_REACHED: dict[str, str] = {}
"""By the type or its variant."""
