"""The slow truth of Eq. 1: zero one neuron's parameters, run its block again, measure the change."""

from collections.abc import Iterable
from typing import Any

import torch

from mwork_eval.models.layout import Layout


class Truth:
    """The inputs of all attention and feed-forward modules on one document, from one forward pass.

    A context manager: inside it the model's attention is eager, the only one that returns attention weights.
    """

    def __init__(self, layout: Layout, token_ids: list[int], *, eager: bool = True) -> None:
        self._layout, self._ids, self._eager = layout, token_ids, eager
        self._interface = all(one.interface for of_layer in layout.attentions for one in of_layer)
        self._calls: dict[torch.nn.Module, tuple[Any, Any]] = {}

    def __enter__(self) -> "Truth":
        model: Any = self._layout.model
        config: Any = self._layout.decoder.config
        self._before = model.config._attn_implementation, config._attn_implementation
        if self._eager:
            if self._interface:
                model.set_attn_implementation("eager")
            config._attn_implementation = "eager"
        hooks = [
            module.register_forward_pre_hook(
                lambda module, args, kwargs: self._calls.update({module: (args, kwargs)}),
                with_kwargs=True,
            )
            for layer in range(self._layout.shape.layers)
            for module in (self._layout.attentions[layer][0].module, self._feed_forward(layer))
        ]
        try:
            with torch.no_grad():
                self._layout.decoder(input_ids=torch.tensor([self._ids]), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return self

    def __exit__(self, *_: object) -> None:
        model: Any = self._layout.model
        config: Any = self._layout.decoder.config
        if self._eager and self._interface:
            model.set_attn_implementation(self._before[0])
        config._attn_implementation = self._before[1]

    def scores(self, layer: int, structure: str, neurons: Iterable[int] | None = None) -> torch.Tensor:
        """Return ‖T without the neuron - T‖² for each neuron, all if none are named, float64."""
        (block,) = self._layout.blocks[layer, structure]
        assert block.weight is not None
        module = self._layout.attentions[layer][0].module if structure in "qkvo" else self._feed_forward(layer)
        args, kwargs = self._calls[module]
        with torch.no_grad():
            before = _relevant(module(*args, **kwargs), structure)  # Falcon adds to a module's output in place
        found = []
        for neuron in range(block.size) if neurons is None else neurons:
            at = block.positions(torch.tensor([neuron]))
            with torch.no_grad():
                weight = block.weight[at].clone()
                bias = None if block.bias is None else block.bias[at].clone()
                try:
                    block.weight[at] = 0
                    if block.bias is not None:
                        block.bias[at] = 0
                    after = _relevant(module(*args, **kwargs), structure)
                finally:
                    block.weight[at] = weight
                    if block.bias is not None and bias is not None:
                        block.bias[at] = bias
            found.append((after - before).double().square().sum())
        return torch.stack(found)

    def _feed_forward(self, layer: int) -> torch.nn.Module:
        module = self._layout.layers[layer]
        return getattr(module, "mlp", module)  # OPT has no module of its own for the feed-forward


def _relevant(output: Any, structure: str) -> torch.Tensor:
    """Return the attention weights for q and k, and the module's output for the other structures."""
    if structure in "qk":
        return output[1]
    return output[0] if isinstance(output, tuple) else output
