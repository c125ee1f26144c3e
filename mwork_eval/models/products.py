"""Look into the last product of a feed-forward: what goes into it, what comes out, of every expert in any form."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from mwork_eval.errors import InputError
from mwork_eval.models import vocabulary
from mwork_eval.models.blocks import without_adapters

Tensor = torch.Tensor

Before = Callable[[int, Tensor], Tensor]
"""Takes an expert's number (0 where there is none) and what goes into the product `[..., d_inter]`; returns what does
instead."""
After = Callable[[int, Tensor, Tensor], Tensor]
"""Takes an expert's number, what went into the product and what came out; returns what does instead."""

Around = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Takes a forward and what it is called with; returns what it returns."""

_PRODUCTS = frozenset({"linear", "matmul", "__matmul__", "mm", "bmm"})


def watch_projection(
    module: nn.Module, undo: ExitStack[bool | None], before: Before | None = None, after: After | None = None
) -> None:
    """Watch a projection that is a module, also a packed one or one with adapters, until a stack is closed."""
    if before is not None:
        undo.callback(module.register_forward_pre_hook(partial(_change_input, before)).remove)
    if after is not None:
        undo.callback(module.register_forward_hook(partial(_change_output, after)).remove)


def _change_input(before: Before, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return before(0, args[0]), *args[1:]


def _change_output(after: After, _: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
    return after(0, args[0], output)


def watch_experts(
    module: nn.Module, undo: ExitStack[bool | None], before: Before | None = None, after: After | None = None
) -> None:
    """Watch the last product of experts that are tensors of one module, until a stack is closed.

    Their own code runs, one expert after another where the module leaves the choice: the product is known by the
    tensor that it is with, which is the parameter or a view of it.

    Args:
        module: The module of the experts.
        undo: Takes the watch off.
        before: What changes the input of the product.
        after: What changes its output.
    """
    owner, name = down_parameter(module)
    plain: Any = without_adapters(module)
    config: Any = getattr(plain, "config", None)
    if hasattr(config, "_experts_implementation"):
        undo.callback(setattr, config, "_experts_implementation", config._experts_implementation)
        config._experts_implementation = "eager"

    def around(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        products = _Products(owner, name, before, after)
        with parametrize.cached(), products:
            output = forward(*args, **kwargs)
        if products.others and not products.own:
            raise InputError(
                "the experts are not understood: their last product was not seen",
                found=type(plain).__name__,
                expected=f"a product with `{name}`, of one expert or of all",
                hint="please report the model",
            )
        return output

    wrap_forward(module, undo, around)


def wrap_forward(module: nn.Module, undo: ExitStack[bool | None], around: Around) -> None:
    """Put something around a module's forward, whatever is around it already, until a stack is closed."""
    forward = module.forward
    own = "forward" in module.__dict__

    def inside(*args: Any, **kwargs: Any) -> Any:
        return module.forward(*args, **kwargs)  # with what is put around it meanwhile

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _put_back(module, forward if own else None)
        try:
            return around(inside, args, kwargs)
        finally:
            module.__dict__["forward"] = wrapped

    undo.callback(_put_back, module, forward if own else None)
    # Past nn.Module's own assignment, which costs more than a small matrix.
    module.__dict__["forward"] = wrapped


def _put_back(module: nn.Module, forward: Any) -> None:
    if forward is None:
        module.__dict__.pop("forward", None)
    else:
        module.__dict__["forward"] = forward


def down_parameter(module: nn.Module) -> tuple[nn.Module, str]:
    """Return the module and the attribute that hold the weights of the last product of all experts."""
    plain = without_adapters(module)
    for name in vocabulary.DOWN:
        found: Any = getattr(plain, name, None)
        if isinstance(found, Tensor):
            return plain, name
        if isinstance(getattr(found, "weight", None), Tensor):
            return found, "weight"
    raise ValueError("no experts")


class _Products(TorchFunctionMode):
    """Sees the products with a parameter or with views of it."""

    def __init__(self, owner: nn.Module, name: str, before: Before | None, after: After | None) -> None:
        super().__init__()
        self._owner, self._name = owner, name
        self._before, self._after = before, after
        self.own, self.others = 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") not in _PRODUCTS or len(args) < 2:
            return func(*args, **kwargs)
        hidden, weight, *rest = args
        whole: Tensor = getattr(self._owner, self._name)
        if weight.untyped_storage().data_ptr() != whole.untyped_storage().data_ptr():
            self.others += 1
            return func(*args, **kwargs)
        self.own += 1
        if weight.ndim == 3:
            each = [self._product(n, hidden[n], partial(torch.matmul, other=weight[n])) for n in range(len(weight))]
            return torch.stack(each)
        expert = (weight.storage_offset() - whole.storage_offset()) // whole.stride(0)
        if whole.ndim == 2:  # one below the other
            expert //= hidden.shape[-1]
        return self._product(expert, hidden, lambda states: func(states, weight, *rest, **kwargs))

    def _product(self, expert: int, hidden: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
        hidden = hidden if self._before is None else self._before(expert, hidden)
        output = product(hidden)
        return output if self._after is None else self._after(expert, hidden, output)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no parameter of a module record gradients inside the context."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
