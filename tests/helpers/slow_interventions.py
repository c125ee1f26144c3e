"""Activations of tiny models changed the slow way: by hooks written out for each architecture, one neuron at a time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from helpers.architectures import token_ids
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape

Change = Callable[[int, str, int, torch.Tensor], torch.Tensor]
"""Takes layer, structure, index and the activation `[...]`; returns what it becomes."""

_PLAIN = {
    **{name: (f"self_attn.{name}_proj", False) for name in "qkv"},
    "o": ("self_attn.o_proj", True),
    "up": ("mlp.down_proj", True),
}
_MODULES: dict[str, dict[str, tuple[str, bool]]] = {
    **dict.fromkeys(("llama", "qwen2", "qwen3", "gemma3_text"), _PLAIN),
    "phi3": {**_PLAIN, **dict.fromkeys("qkv", ("self_attn.qkv_proj", False))},
    "gpt2": {**dict.fromkeys("qkv", ("attn.c_attn", False)), "o": ("attn.c_proj", True), "up": ("mlp.c_proj", True)},
    "bloom": {
        **dict.fromkeys("qkv", ("self_attention.query_key_value", False)),
        "o": ("self_attention.dense", True),
        "up": ("mlp.dense_4h_to_h", True),
    },
    **{name: {**_PLAIN, "up": ("mlp.experts", True)} for name in ("mixtral", "gpt_oss")},
}
MEMBERS = sorted(_MODULES)


def layers_of(model: Any) -> Any:
    return model.transformer.h if hasattr(model, "transformer") else model.model.layers


def _channel(member: str, structure: str, index: int, shape: ModelShape, head_dim: int) -> int:
    if structure not in ("q", "k", "v"):
        return index
    before = {"q": 0, "k": shape.sizes[0]["q"], "v": shape.sizes[0]["q"] + shape.sizes[0]["k"]}[structure]
    if member in ("phi3", "gpt2"):
        return before + index
    if member == "bloom":  # by head its query, key and value
        return index // head_dim * 3 * head_dim + "qkv".index(structure) * head_dim + index % head_dim
    return index


@contextmanager
def changed_slowly(member: str, model: Any, neurons: NeuronSet, change: Change) -> Iterator[None]:
    """Change the activations of neurons one after another while the block runs."""
    head_dim = model.config.hidden_size // model.config.num_attention_heads
    with ExitStack() as undo:
        for layer, structure, index in neurons:
            path, is_input = _MODULES[member][structure]
            module = layers_of(model)[layer].get_submodule(path)
            own = partial(change, layer, structure, index)
            if structure == "up" and path.endswith("experts"):
                continue
            channel = _channel(member, structure, index, neurons.shape, head_dim)
            if is_input:
                undo.callback(module.register_forward_pre_hook(partial(_input, channel, own)).remove)
            else:
                undo.callback(module.register_forward_hook(partial(_output, channel, own)).remove)
        if _MODULES[member]["up"][0].endswith("experts"):
            for layer in range(neurons.shape.layers):
                own_of_layer = [index for at, structure, index in neurons if (at, structure) == (layer, "up")]
                experts = layers_of(model)[layer].mlp.experts
                again = partial(_experts, member, own_of_layer, partial(change, layer, "up"))
                undo.callback(experts.register_forward_hook(again, with_kwargs=True).remove)
        yield


def _changed(channel: int, own: Any, states: torch.Tensor) -> torch.Tensor:
    states = states.clone()
    states[..., channel] = own(states[..., channel])
    return states


def _output(channel: int, own: Any, _: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
    return _changed(channel, own, output)


def _input(channel: int, own: Any, _: Any, args: Any) -> Any:
    return _changed(channel, own, args[0]), *args[1:]


def _experts(member: str, indices: list[int], change: Any, module: Any, args: Any, kwargs: Any, output: Any) -> Any:
    """Compute the experts again, one token after another."""
    states, chosen, weights = (*args, *kwargs.values())[:3]
    found = torch.zeros_like(states)
    for token, state in enumerate(states):
        for expert, weight in zip(chosen[token].tolist(), weights[token], strict=True):
            hidden = _hidden_of_oss(module, expert, state) if member == "gpt_oss" else _hidden(module, expert, state)
            width = len(hidden)
            for index in indices:
                if index // width == expert:
                    hidden[index % width] = change(index, hidden[index % width])
            if member == "gpt_oss":
                found[token] += weight * (hidden @ module.down_proj[expert] + module.down_proj_bias[expert])
            else:
                found[token] += weight * (module.down_proj[expert] @ hidden)
    return found


def _hidden(module: Any, expert: int, state: torch.Tensor) -> torch.Tensor:
    gate, up = (module.gate_up_proj[expert] @ state).chunk(2)
    return module.act_fn(gate) * up


def _hidden_of_oss(module: Any, expert: int, state: torch.Tensor) -> torch.Tensor:
    both = state @ module.gate_up_proj[expert] + module.gate_up_proj_bias[expert]
    gate, up = both[::2].clamp(max=module.limit), both[1::2].clamp(-module.limit, module.limit)
    return (up + 1) * gate * torch.sigmoid(gate * module.alpha)


def logits_of(model: Any) -> torch.Tensor:
    """Return the logits of a fixed text."""
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([token_ids()]), use_cache=False).logits
        return found


def carrier(shape: ModelShape, width: int, seed: int = 0, count: int = 3) -> NeuronSet:
    """Return a set of some neurons of every layer and structure, with random activations of four languages."""
    draw = np.random.default_rng(seed)
    structures = ("q", "k", "v", "o", "up")
    indices = {
        (layer, structure): draw.choice(sizes[structure], count, replace=False)
        for layer, sizes in enumerate(shape.sizes)
        for structure in structures
        if structure in sizes
    }

    def typical(*, residual: bool) -> dict[Any, Any]:
        places: dict[Any, Any] = {
            (layer, structure): draw.normal(size=size).astype(np.float32)
            for layer, sizes in enumerate(shape.sizes)
            for structure, size in sizes.items()
            if structure in structures
        }
        if residual:
            places |= {(n, "residual"): draw.normal(size=width).astype(np.float32) for n in range(shape.layers)}
        return places

    known = {f"mean.{language}": typical(residual=True) for language in ("de", "en", "es", "zh")}
    known["median.de"] = typical(residual=False)
    return NeuronSet(shape, indices, {"language": "zh"}, activations=known)
