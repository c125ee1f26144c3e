"""What a decoder does after its last layer: the final norm, in some models also a projection."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.models.modes import evaluation_mode


def find_final_steps(layout: Layout) -> tuple[nn.Module, ...]:
    """Return the modules of a decoder that are called after its last layer, in that order; one token goes through it.

    They have no common name, and no common place among the decoder's modules.

    Args:
        layout: The model.

    Raises:
        InputError: If one of them takes more than the states.
    """
    called: list[nn.Module] = []
    inputs: list[int] = []
    last = layout.layers[-1]
    children = [child for child in layout.decoder.children() if not isinstance(child, nn.ModuleList)]

    def note(module: nn.Module, args: Any, named: Any, _: Any) -> None:
        called.append(module)
        inputs.append(len(args) + len(named))

    def forget(*_: Any) -> None:
        called.clear()
        inputs.clear()

    hooks = [child.register_forward_hook(note, with_kwargs=True) for child in children]
    hooks.append(last.register_forward_hook(forget))
    try:
        with torch.no_grad(), evaluation_mode(layout.decoder):
            layout.decoder(input_ids=torch.tensor([[3]], device=layout.device), use_cache=False)
    finally:
        for one in hooks:
            one.remove()
    if any(count != 1 for count in inputs):
        raise unreadable(layout, "a final step that takes more than the last layer's states")
    return tuple(called)


def unreadable(layout: Layout, found: str) -> InputError:
    """Return the error about layers whose states are not what the output head reads."""
    return InputError(
        f"layers of the architecture {layout.family} cannot be read by its output head",
        found=found,
        expected="one state per token, and modules such as a final norm between the last layer and the head",
    )


def finish_states(steps: Sequence[nn.Module], states: Tensor) -> Tensor:
    """Return what the output head reads if a layer were the last one.

    Args:
        steps: What is called after the last layer.
        states: What a layer gives `[tokens, d_model]`, before any norm.
    """
    found: Any = states
    for step in steps:
        found = step(found)
    return found  # type: ignore[no-any-return]
