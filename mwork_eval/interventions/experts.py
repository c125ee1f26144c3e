"""Zero activations inside mixture-of-experts layers, whose experts are tensors without modules to hook."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from mwork_eval.models.layout import Layout

_NAME = "mwork_masked"
_ATTRIBUTE = "mwork_masked_channels"


def mask_experts(
    layout: Layout, masked: Mapping[nn.Module, Mapping[str, torch.Tensor]], undo: ExitStack[bool | None]
) -> None:
    """Run masked experts one by one through transformers' experts interface until a stack is closed.

    Args:
        layout: The model.
        masked: Per experts module and structure, neuron indices; gate, up and down are one switch. They come to
            those that are masked already.
        undo: Puts the model's own implementation back.
    """
    ALL_EXPERTS_FUNCTIONS.register(_NAME, _run_experts)
    for module, by_structure in masked.items():
        earlier = getattr(module, _ATTRIBUTE, None)
        channels = [*by_structure.values()] if earlier is None else [earlier, *by_structure.values()]
        setattr(module, _ATTRIBUTE, torch.cat(channels).unique())
        if earlier is None:
            undo.callback(delattr, module, _ATTRIBUTE)
        else:
            undo.callback(setattr, module, _ATTRIBUTE, earlier)
    config: Any = layout.decoder.config
    undo.callback(setattr, config, "_experts_implementation", config._experts_implementation)
    config._experts_implementation = _NAME


def _run_experts(
    experts: Any,
    hidden_states: torch.Tensor,  # [tokens, d_model]
    top_k_index: torch.Tensor,  # [tokens, k]
    top_k_weights: torch.Tensor,  # [tokens, k]
) -> torch.Tensor:
    result = torch.zeros_like(hidden_states)
    width = experts.down_proj.shape[-1]
    masked: torch.Tensor | None = getattr(experts, _ATTRIBUTE, None)
    for expert in top_k_index.unique().tolist():
        token, slot = (top_k_index == expert).nonzero(as_tuple=True)
        gate, up = nn.functional.linear(hidden_states[token], experts.gate_up_proj[expert]).chunk(2, -1)
        inner = experts.act_fn(gate) * up  # [n, d_inter]
        if masked is not None:
            own = masked[masked // width == expert] % width
            inner = inner.index_fill(-1, own.to(inner.device), 0)
        output = nn.functional.linear(inner, experts.down_proj[expert])
        result.index_add_(0, token, (output * top_k_weights[token, slot, None]).to(result.dtype))
    return result
