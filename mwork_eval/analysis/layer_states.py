"""Run a model once and look at what every layer gives, one layer at a time."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from mwork_eval.errors import InputError
from mwork_eval.models.final_norm import find_final_steps, finish_states, unreadable
from mwork_eval.models.find_head import find_head as proven_head
from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import Layout

T = TypeVar("T")
Tensor = torch.Tensor

_TOLERANCE = 0.02
"""Of the largest state: far above the rounding of bfloat16, far below a norm missing or applied twice."""


def read_layers(
    layout: Layout,
    tokens: Sequence[int],
    read: Callable[[Tensor], T],
    *,
    last: bool = False,
    steps: Sequence[nn.Module] | None = None,
) -> list[T]:
    """Run tokens through a model and read the state of every layer as the output head would.

    A layer is read as soon as it is computed, so that only one layer's states are in memory. They are taken from the
    layers themselves: what transformers returns as the last hidden state has the final norm applied already.

    Args:
        layout: The model.
        tokens: Token ids of one text.
        read: Takes the states of a layer after the final norm `[tokens, d_model]`.
        last: Only the last token's.
        steps: What follows the last layer, as `find_final_steps` says; None to find it.

    Returns:
        What `read` returned for each layer, the first layer first.

    Raises:
        InputError: If the last layer, so read, is not what the model itself gives, or layers keep several states.
    """
    found: list[T] = []
    finished = torch.empty(0)
    following = find_final_steps(layout) if steps is None else steps
    config: Any = layout.decoder.config

    def hook(_: Any, __: Any, output: Any) -> None:
        nonlocal finished
        states = output[0] if isinstance(output, tuple | list) else output
        if states.shape != (1, len(tokens), config.hidden_size):
            raise unreadable(layout, f"states of shape {list(states.shape)} for {len(tokens)} tokens")
        finished = finish_states(following, states[0, -1:] if last else states[0])
        found.append(read(finished))

    hooks = [layer.register_forward_hook(hook) for layer in layout.layers]
    try:
        with torch.no_grad():
            ids = torch.tensor([list(tokens)], device=layout.device)
            own = layout.decoder(input_ids=ids, use_cache=False).last_hidden_state[0]
    finally:
        for one in hooks:
            one.remove()
    own = own[-1:].to(finished.device) if last else own.to(finished.device)
    if not torch.allclose(finished, own, rtol=0.0, atol=_TOLERANCE * float(own.abs().max())):
        raise unreadable(layout, "another final step")
    return found


def find_head(layout: Layout) -> OutputHead:
    """Return the output head of a model.

    Raises:
        InputError: If it has none that can be used apart.
    """
    head = proven_head(layout.model)
    if head is None:
        raise InputError(
            "the model has no output head that can be used apart",
            found=f"the architecture {layout.family}",
            expected="logits that are made by output embeddings",
        )
    return head
