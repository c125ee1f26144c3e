"""Which closed form holds for a feed-forward: tried on a few tokens of the model before it is scored."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from mwork_eval.detection.scoring.norms import RootMeanSquare
from mwork_eval.detection.scoring.row_factors import Traced, first_tensor, tolerance_of, trace, watch_part
from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.layout import Layout
from mwork_eval.models.products import wrap_forward

Tensor = torch.Tensor

_TOKENS = 32


@dataclass(frozen=True)
class Form:
    """How the neurons of a part of a feed-forward are scored.

    Attributes:
        kind: `plain`: what the last product gives is the block's output but for one factor. `routed`: so it is for
            each expert of a token, times its routing weight. `traced`: each row has a factor of its own.
            `recomputed`: no factor tells; the block runs again for every neuron.
        factor: The factor of all rows.
        before: A norm between the neurons and the last product.
        after: A norm at the block's end; it has the factors of its input.
        mixed: Whether a neuron changes others before the last product, and no norm of `before` says how.
    """

    kind: Literal["plain", "routed", "traced", "recomputed"]
    factor: float = 1.0
    before: RootMeanSquare | None = None
    after: RootMeanSquare | None = None
    mixed: bool = False


@dataclass(frozen=True)
class Container:
    """The block whose output counts for some parts of a layer's feed-forward.

    Attributes:
        module: The block.
        parts: The parts in it, by their number in the layer.
    """

    module: nn.Module
    parts: Mapping[int, FeedForward]


def containers_of(layout: Layout, layer: int) -> list[Container]:
    """Return the blocks of a layer's feed-forward: the largest ones inside it that hold nothing else."""
    found: dict[str, tuple[nn.Module, dict[int, FeedForward]]] = {}
    root = layout.layers[layer]
    others = [one.path for one in layout.attentions[layer]] + list(layout.other_mixers[layer])
    for number, part in enumerate(layout.feed_forwards[layer]):
        names = part.path.split(".") if part.path else []
        module, path = part.blocks["down"].module, f"{number} "
        for end in range(1, len(names) + 1):
            inside = ".".join(names[:end])
            candidate = root.get_submodule(inside)
            holds_others = any(f"{other}.".startswith(f"{inside}.") for other in others)
            if not holds_others and not isinstance(candidate, nn.ModuleList):
                module, path = candidate, inside
                break
        found.setdefault(path, (module, {}))[1][number] = part
    return [Container(module, parts) for module, parts in found.values()]


def find_forms(layout: Layout, token_ids: Sequence[int]) -> dict[tuple[int, int], Form]:
    """Find the forms of all parts by running the body on a few tokens.

    Args:
        layout: The model.
        token_ids: Tokens, repeated or cut to a few.

    Returns:
        The form per layer and number of the part.
    """
    tokens = (list(token_ids) * _TOKENS)[:_TOKENS]
    found: dict[tuple[int, int], Form] = {}
    with torch.inference_mode(), ExitStack() as undo:
        for layer in range(layout.shape.layers):
            for container in containers_of(layout, layer):
                wrap_forward(container.module, undo, partial(_try, found, layer, container))
        layout.decoder(input_ids=torch.tensor([tokens], device=layout.device), use_cache=False)
    return found


def _try(
    found: dict[tuple[int, int], Form], layer: int, container: Container, forward: Any, args: Any, kwargs: Any
) -> Any:
    """Run a block, and find the forms of the parts in it."""
    if any(part.kind != "experts" and _is_down(part, container) for part in container.parts.values()):
        found.update(dict.fromkeys(((layer, number) for number in container.parts), Form("plain")))
        return forward(*args, **kwargs)
    calls = {n: _tensors(args, kwargs) for n, part in container.parts.items() if part.module is container.module}
    seen: list[tuple[nn.Module, Tensor]] = []
    with ExitStack() as undo:
        for number, part in container.parts.items():
            hook = partial(_keep_call, calls, number)
            undo.callback(part.module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        for module in container.module.modules():
            if not any(module.children()) and module is not container.module:
                undo.callback(module.register_forward_hook(lambda m, _, out: seen.append((m, out))).remove)
        returned, products = trace(container.module, forward, args, kwargs, container.parts)
    output = first_tensor(returned)
    tolerance = tolerance_of(output.dtype)
    after = None
    if not all(product.straight for product in products):
        after = _norm_that_gave(output, seen, tolerance)
        if after is not None:
            _, products = trace(container.module, forward, args, kwargs, container.parts, after.module)
    for number, part in container.parts.items():
        own = [product for product in products if product.part == number]
        form = _form(part, own, calls.get(number, ()), tolerance, after)
        if form.kind != "recomputed" and part.kind != "experts" and own:
            form = _coupled(form, part, own[0], partial(forward, *args, **kwargs), seen, tolerance)
        found[layer, number] = form
    return returned


def _keep_call(calls: dict[int, tuple[Tensor, ...]], number: int, _: nn.Module, args: Any, kwargs: Any) -> None:
    calls[number] = _tensors(args, kwargs)


def _tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, ...]:
    return tuple(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))


def _is_down(part: FeedForward, container: Container) -> bool:
    """Say whether a part has no block of its own, so that its last product's output counts."""
    return part.blocks["down"].module is container.module


def _norm_that_gave(output: Tensor, seen: list[tuple[nn.Module, Tensor]], tolerance: float) -> RootMeanSquare | None:
    """Return the module inside a block whose output this is, if it is a norm."""
    for module, own in reversed(seen):
        if isinstance(own, Tensor) and own.numel() == output.numel() and torch.equal(own.reshape(output.shape), output):
            return RootMeanSquare.of(module, tolerance)
    return None


def _form(
    part: FeedForward, products: list[Traced], call: tuple[Tensor, ...], tolerance: float, after: RootMeanSquare | None
) -> Form:
    if not all(product.straight for product in products):
        return Form("recomputed")
    if after is not None or not products:
        return Form("traced", after=after)
    if part.kind == "dense":
        factors = torch.cat([product.factors for product in products])
        factor = _constant(factors, tolerance)
        return Form("traced") if factor is None else Form("plain", factor)
    if part.kind == "experts" and is_routing(call) and _has_interface(part.module):
        found, expected = [], []
        for product in products:
            rows = product.tokens >= 0
            energy = (product.hidden[rows].float() * product.factors[rows, None]).square().sum(0)
            own = routed_rows(part.module, call, product.expert)
            found.append((own.hidden.float() * own.weights[:, None].float()).square().sum(0))
            expected.append(energy)
        ratio = torch.cat(expected).sum() / torch.cat(found).sum().clamp_min(1e-30)
        apart = (torch.cat(expected) - ratio * torch.cat(found)).abs().max()
        if apart <= 10 * tolerance * torch.cat(expected).max():
            return Form("routed", _rounded(float(ratio.sqrt()), tolerance))
    return Form("traced")


def _constant(factors: Tensor, tolerance: float) -> float | None:
    middle = factors.median()
    if (factors - middle).abs().max() > tolerance * middle.abs():
        return None
    return _rounded(float(middle), tolerance)


def _rounded(factor: float, tolerance: float) -> float:
    return 1.0 if abs(factor - 1) <= tolerance else factor


def _has_interface(module: Any) -> bool:
    first = "gate_up_proj" if getattr(module, "has_gate", True) else "up_proj"
    acts = hasattr(module, "act_fn") or hasattr(module, "_apply_gate")
    return acts and isinstance(getattr(module, first, None), Tensor)


def is_routing(call: tuple[Tensor, ...]) -> bool:
    """Say whether a module was called with states, the experts of each token, and their weights."""
    if len(call) != 3:
        return False
    states, index, weights = call
    whole = not index.is_floating_point() and weights.is_floating_point()
    return whole and states.ndim == index.ndim == 2 and index.shape == weights.shape and len(states) == len(index)


@dataclass(frozen=True)
class Routed:
    """What an expert does with the tokens that come to it.

    Attributes:
        up: What comes out of its up projection `[m, d_inter]`.
        hidden: What goes into its last product `[m, d_inter]`.
        states: Which of the states these are of `[m]`.
        weights: Their routing weights `[m]`.
        passed: What the gate lets through, but for a positive factor; without a gate the hidden states `[m, d_inter]`.
    """

    up: Tensor
    hidden: Tensor
    states: Tensor
    weights: Tensor
    passed: Tensor


def routed_rows(module: Any, call: tuple[Tensor, ...], expert: int) -> Routed:
    """Compute an expert up to its last product by the interface that transformers has for experts.

    Args:
        module: The module of the experts.
        call: States `[n, d_model]`, the experts of each `[n, k]`, and their weights `[n, k]`.
        expert: The expert.
    """
    states, index, weights = call
    at, slot = (index == expert).nonzero(as_tuple=True)
    first = _up_product(module, states[at], expert)
    up = first
    if not getattr(module, "has_gate", True):
        hidden = passed = module.act_fn(first)
    else:
        gate, up = first.chunk(2, -1)
        up = up if getattr(module, "is_concatenated", True) else first[..., 1::2]
        gate = gate if getattr(module, "is_concatenated", True) else first[..., ::2]
        own = getattr(module, "_apply_gate", None)
        # Code of a class's own bounds gate and up, which need not leave up's sign (gpt-oss), but leaves the gate's.
        bounded = own is not None and own.__module__ == type(module).__module__
        passed = gate if bounded else module.act_fn(gate)
        hidden = passed * up if own is None else own(first)
    return Routed(up, hidden, at, weights[at, slot], passed)


def _up_product(module: Any, states: Tensor, expert: int) -> Tensor:
    name = "gate_up_proj" if getattr(module, "has_gate", True) else "up_proj"
    weight = getattr(module, name)[expert]
    biases = getattr(module, f"{name}_bias", None)
    bias = None if biases is None else biases[expert]
    return nn.functional.linear(states, weight.T if getattr(module, "is_transposed", False) else weight, bias)


def _coupled(
    form: Form, part: FeedForward, product: Traced, run: Any, seen: list[tuple[nn.Module, Tensor]], tolerance: float
) -> Form:
    """Return a form that knows whether a neuron that is zero changes others before the last product."""
    largest = int(product.hidden.abs().sum(0).argmax())
    up = part.blocks["up"]
    assert up.channels is not None
    channel = up.channels[largest : largest + 1]
    after: list[Tensor] = []
    with ExitStack() as undo:
        fill = lambda _, __, output: output.index_fill(-1, channel.to(output.device), 0)  # noqa: E731
        undo.callback(up.module.register_forward_hook(fill).remove)
        watch_part(part, undo, before=lambda _, hidden: after.append(hidden) or hidden)  # type: ignore[func-returns-value]
        run()
    own = torch.tensor([largest], device=product.hidden.device)
    without, expected = (x.reshape(product.hidden.shape).index_fill(-1, own, 0) for x in (after[0], product.hidden))
    if (without - expected).abs().max() <= 10 * tolerance * expected.abs().max():
        return form
    before = _norm_that_gave(product.hidden, seen, tolerance)
    if form.after is None and form.kind == "plain" and before is not None:
        return Form(form.kind, form.factor, before)
    return Form("recomputed", mixed=True)
