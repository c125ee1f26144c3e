"""Feed-forwards in forms that checkpoints with their own code have, put into a tiny Llama."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

Tensor = torch.Tensor

WIDTH, INNER, EXPERTS, CHOSEN = 16, 12, 4, 2


class Dense(nn.Module):
    """Gate, up and down."""

    def __init__(self, inner: int = INNER, *, bias: bool = False) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(WIDTH, inner, bias=bias)
        self.up_proj = nn.Linear(WIDTH, inner, bias=bias)
        self.down_proj = nn.Linear(inner, WIDTH, bias=bias)

    def hidden(self, states: Tensor) -> Tensor:
        return functional.silu(self.gate_proj(states)) * self.up_proj(states)

    def forward(self, states: Tensor) -> Tensor:
        return self.down_proj(self.hidden(states))


class Multiplied(Dense):
    def forward(self, states: Tensor) -> Tensor:
        return 0.3 * super().forward(states)


class NormBefore(Dense):
    def __init__(self, norm: Callable[[int], nn.Module] = LlamaRMSNorm) -> None:
        super().__init__()
        self.inner_norm = norm(INNER)

    def forward(self, states: Tensor) -> Tensor:
        return self.down_proj(self.inner_norm(self.hidden(states)))


class CentredBefore(NormBefore):
    def __init__(self) -> None:
        super().__init__(nn.LayerNorm)


class Router(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(EXPERTS, WIDTH))

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        weights, index = functional.linear(states, self.weight).softmax(-1).topk(CHOSEN)
        return index, weights


class ListOfExperts(nn.Module):
    """Experts that are modules of their own, and a shared one behind a gate, as code with a checkpoint writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.router = Router()
        self.experts = nn.ModuleList(Dense() for _ in range(EXPERTS))
        self.shared_expert = Dense(8, bias=True)
        self.shared_expert_gate = nn.Linear(WIDTH, 1, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        flat = states.reshape(-1, WIDTH)
        index, weights = self.router(flat)
        total = torch.sigmoid(self.shared_expert_gate(flat)) * self.shared_expert(flat)
        for number, expert in enumerate(self.experts):
            token, slot = torch.where(index == number)
            if len(token):
                total.index_add_(0, token, expert(flat[token]) * weights[token, slot, None])
        return total.view(states.shape)


class Tensors(nn.Module):
    """All experts in tensors `[experts, d_in, d_out]`, gate and up by turns, biases, and one added to what comes up."""

    def __init__(self) -> None:
        super().__init__()
        self.is_concatenated, self.is_transposed = False, True
        self.gate_up_proj = nn.Parameter(torch.empty(EXPERTS, WIDTH, 2 * INNER))
        self.gate_up_proj_bias = nn.Parameter(torch.empty(EXPERTS, 2 * INNER))
        self.down_proj = nn.Parameter(torch.empty(EXPERTS, INNER, WIDTH))
        self.down_proj_bias = nn.Parameter(torch.empty(EXPERTS, WIDTH))

    def _apply_gate(self, both: Tensor) -> Tensor:
        return functional.silu(both[..., ::2]) * (both[..., 1::2] + 1)

    def forward(self, states: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        total = torch.zeros_like(states)
        for number in index.unique().tolist():
            token, slot = torch.where(index == number)
            both = states[token] @ self.gate_up_proj[number] + self.gate_up_proj_bias[number]
            output = self._apply_gate(both) @ self.down_proj[number] + self.down_proj_bias[number]
            total.index_add_(0, token, output * weights[token, slot, None])
        return total


class Routed(nn.Module):
    def __init__(self, experts: Callable[[], nn.Module] = Tensors) -> None:
        super().__init__()
        self.router, self.experts = Router(), experts()

    def forward(self, states: Tensor) -> Tensor:
        flat = states.reshape(-1, WIDTH)
        return self.experts(flat, *self.router(flat)).view(states.shape)


class NormAfter(Routed):
    """Routed and shared experts whose sum a norm divides."""

    def __init__(self, norm: Callable[[int], nn.Module] = LlamaRMSNorm) -> None:
        super().__init__()
        self.shared_experts = Dense(8)
        self.last_norm = norm(WIDTH)

    def forward(self, states: Tensor) -> Tensor:
        return self.last_norm(super().forward(states) + self.shared_experts(states))


class CentredAfter(NormAfter):
    def __init__(self) -> None:
        super().__init__(nn.LayerNorm)


class Together(nn.Module):
    """All experts on all tokens in one product each; the weights multiply what comes in, as in Llama 4."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(EXPERTS, WIDTH, 2 * INNER))
        self.down_proj = nn.Parameter(torch.empty(EXPERTS, INNER, WIDTH))

    def forward(self, states: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        shares = states.new_zeros(len(states), EXPERTS).scatter(1, index, weights)
        gate, up = torch.bmm(states * shares.T[..., None], self.gate_up_proj).chunk(2, -1)
        return torch.bmm(functional.silu(gate) * up, self.down_proj).sum(0)


class Parallel(nn.Module):
    """Products of all experts that are modules with one tensor each, rows sorted by expert, as in JetMoE."""

    class Product(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(EXPERTS, outputs, inputs))

        def forward(self, states: Tensor, counts: list[int]) -> Tensor:
            pairs = zip(states.split(counts), self.weight, strict=True)
            return torch.cat([functional.linear(own, weight) for own, weight in pairs])

    def __init__(self) -> None:
        super().__init__()
        self.router = Router()
        self.input_linear, self.output_linear = self.Product(WIDTH, 2 * INNER), self.Product(INNER, WIDTH)

    def forward(self, states: Tensor) -> Tensor:
        flat = states.reshape(-1, WIDTH)
        index, weights = self.router(flat)
        order = index.flatten().argsort(stable=True)
        token, counts = order // CHOSEN, index.flatten().bincount(minlength=EXPERTS).tolist()
        gate, up = self.input_linear(flat[token], counts).chunk(2, -1)
        output = self.output_linear(functional.silu(gate) * up, counts) * weights.flatten()[order, None]
        return torch.zeros_like(flat).index_add(0, token, output).view(states.shape)


FORMS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "dense": (Dense, "plain"),
    "multiplied": (Multiplied, "plain"),
    "norm before": (NormBefore, "plain"),
    "layer norm before": (CentredBefore, "recomputed"),
    "list of experts": (ListOfExperts, "traced"),
    "tensors": (Routed, "routed"),
    "norm after": (NormAfter, "traced"),
    "layer norm after": (CentredAfter, "recomputed"),
    "together": (lambda: Routed(Together), "traced"),
    "parallel": (Parallel, "traced"),
}
"""Blocks by name, and how the first part of them is scored."""


def model_with(make: Callable[[], nn.Module]) -> Any:
    """Return a tiny Llama of two layers whose feed-forwards are blocks of a form, with random weights."""
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=64,
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        for layer in model.model.layers:
            layer.mlp = make()
        for name, parameter in model.named_parameters():
            parameter.data = torch.randn(parameter.shape) * 0.4 + ("norm" in name)
    return model.eval()


@contextmanager
def block_calls(model: Any, layer: int) -> Iterator[list[Tensor]]:
    """Keep what a layer's feed-forward is called with inside the context."""
    seen: list[Tensor] = []
    hook = model.model.layers[layer].mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    try:
        yield seen
    finally:
        hook.remove()
