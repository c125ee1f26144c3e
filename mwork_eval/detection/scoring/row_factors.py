"""How far what a feed-forward's last products give gets into the output of its block, token by token.

Routing weights, gates of shared experts and multipliers all scale a row of a product before it is added to the output
of some token. The factor is the derivative of that output along the row, in random directions: autograd tells it for
any code, and where the output changes in another direction than the row, no factor does.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.products import After, Before, frozen, watch_experts, watch_projection

Tensor = torch.Tensor

_DIRECTIONS = 4


@dataclass(frozen=True)
class Traced:
    """A product and what becomes of its rows.

    Attributes:
        part: Number of the part of the feed-forward.
        expert: Number of the expert in it, or 0.
        hidden: What goes into it `[n, d_inter]`.
        output: What comes out `[n, d_model]`.
        factors: What each row is multiplied by before it is added to the block's output `[n]`.
        tokens: The token that it is added to, of all of the batch `[n]`, or -1 where it is not used.
        straight: Whether that is all that happens to them.
    """

    part: int
    expert: int
    hidden: Tensor
    output: Tensor
    factors: Tensor
    tokens: Tensor
    straight: bool


@dataclass
class _Product:
    part: int
    expert: int
    hidden: Tensor
    output: Tensor
    scales: Tensor
    directions: Tensor


def watch_part(
    part: FeedForward, undo: ExitStack[bool | None], before: Before | None = None, after: After | None = None
) -> None:
    """Watch the last product of a part of a feed-forward until a stack is closed."""
    if part.kind == "experts":
        watch_experts(part.module, undo, before, after)
    else:
        watch_projection(part.blocks["down"].module, undo, before, after)


def trace(
    container: nn.Module,
    forward: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    parts: Mapping[int, FeedForward],
    until: nn.Module | None = None,
) -> tuple[Any, list[Traced]]:
    """Run a block and find the factors of the rows of its last products.

    Args:
        container: The block.
        forward: Its forward.
        args: What it is called with.
        kwargs: What it is called with by name.
        parts: The parts of the feed-forward in it, by number.
        until: A module in the block whose input counts in place of the block's output.

    Returns:
        What the block returns, and the products.
    """
    products: list[_Product] = []
    generator = torch.Generator().manual_seed(0)

    def keep(number: int, expert: int, hidden: Tensor, output: Tensor) -> Tensor:
        scales = torch.zeros(output.shape[:-1], device=output.device, requires_grad=True)
        directions = torch.randn(output.shape, generator=generator).to(output) * (output.std() + 1e-6)
        products.append(_Product(number, expert, hidden.detach(), output.detach(), scales, directions))
        return output + (scales[..., None] * directions).to(output.dtype)

    with torch.inference_mode(False), torch.enable_grad(), frozen(container), ExitStack() as undo:
        args, kwargs = tree_map(_outside_inference, (args, dict(kwargs)))
        for number, part in parts.items():
            watch_part(part, undo, after=partial(keep, number))
        seen: list[Tensor] = []
        if until is not None:
            undo.callback(until.register_forward_pre_hook(lambda _, args: seen.append(args[0])).remove)
        returned = forward(*args, **kwargs)
        states = first_tensor(returned) if until is None else seen[0]
        found = _factors(states, products, generator) if products else []
    return tree_map(_detached, returned), found


def _factors(states: Tensor, products: list[_Product], generator: torch.Generator) -> list[Traced]:
    scales = [product.scales for product in products]

    def gradients(towards: Tensor) -> list[Tensor]:
        found = torch.autograd.grad(states, scales, towards.to(states), retain_graph=True, allow_unused=True)
        return [
            torch.zeros_like(scale) if one is None else one.float() for scale, one in zip(scales, found, strict=True)
        ]

    to = torch.randn(_DIRECTIONS, states.shape[-1], generator=generator).to(states.device)
    by_direction = [gradients(direction.expand_as(states)) for direction in to]
    count = states.shape[:-1].numel()
    number = torch.arange(count, device=states.device).view(states.shape[:-1]) + 1
    # A row belongs to one token: its number is read bit by bit off the tokens that have the bit.
    bits = [gradients(to[0] * ((number >> bit) & 1)[..., None]) for bit in range(count.bit_length())]
    traced = []
    for index, product in enumerate(products):
        expected = product.directions.float() @ to.T  # [..., directions]
        seen = torch.stack([of_direction[index] for of_direction in by_direction], -1)
        factors = (seen * expected).sum(-1) / expected.square().sum(-1).clamp_min(1e-30)
        apart = (seen - factors[..., None] * expected).square().sum(-1)
        tolerance = tolerance_of(states.dtype)
        straight = bool((apart <= (10 * tolerance) ** 2 * seen.square().sum(-1)).all())
        owner = torch.full(factors.shape, -1, dtype=torch.long, device=states.device)
        for bit, of_bit in enumerate(bits):
            owner += ((of_bit[index] / by_direction[0][index]) > 0.5).long() << bit
        width = product.output.shape[-1]
        traced.append(
            Traced(
                product.part,
                product.expert,
                product.hidden.reshape(-1, product.hidden.shape[-1]),
                product.output.reshape(-1, width),
                factors.reshape(-1),
                owner.reshape(-1),
                straight,
            )
        )
    return traced


def tolerance_of(dtype: torch.dtype) -> float:
    """Return how far two numbers of a dtype may be apart, as a share, and count as one."""
    return max(1e-5, 2 * torch.finfo(dtype).eps)


def first_tensor(returned: Any) -> Tensor:
    """Return the states out of what a block returns: the tensor, or the first of several."""
    return returned if isinstance(returned, Tensor) else first_tensor(next(iter(returned)))


def _outside_inference(value: Any) -> Any:
    """Return what autograd may keep: tensors that are made in inference mode are not."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value
