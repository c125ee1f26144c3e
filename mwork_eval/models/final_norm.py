"""What a decoder does after its last layer: the final norm, in some models also a projection."""

from torch import Tensor, nn

from mwork_eval.models.layout import Layout

_STEPS = ("norm", "ln_f", "final_layer_norm", "project_out")
"""Names of the modules behind the last layer, in the order they are applied."""


def finish_states(layout: Layout, states: Tensor) -> Tensor:
    """Return what the output head reads if a layer were the last one.

    Args:
        layout: The model.
        states: What a layer gives `[tokens, d_model]`, before any norm.
    """
    for name in _STEPS:
        step = getattr(layout.decoder, name, None)
        if isinstance(step, nn.Module):
            states = step(states)
    return states
