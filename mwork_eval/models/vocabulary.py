"""The names that models give to the parts of a layer, and the few things that names and shapes do not tell.

A model is looked at (`mixers`, `feed_forwards`); what is here only says which names to look for. A new name is a word
in one of these tuples.
"""

from collections.abc import Mapping
from typing import Any

from mwork_eval.models.fused_rows import Rows, grouped, in_four_parts, stacked

QUERY = ("q_proj", "q_b_proj", "q_gate_proj", "query", "query_proj", "wq", "q")
KEY = ("k_proj", "key", "key_proj", "wk", "k")
VALUE = ("v_proj", "value", "value_proj", "wv", "v")
KEY_VALUE_UP = ("kv_b_proj",)
"""Up-projections of latent attention: per head the part of the key without rotation, then the value."""
FUSED_ATTENTION: Mapping[str, Rows] = {
    "qkv_proj": stacked,
    "c_attn": stacked,
    "Wqkv": stacked,
    "qkv": stacked,
    "in_proj_qkv": stacked,
    "att_proj": stacked,
    "query_key_value": grouped,
    "wqkv": grouped,
    "W_pack": stacked,
}
"""Matrices of q, k and v together, and how their rows are usually ordered."""
OUTPUT = ("o_proj", "out_proj", "dense", "c_proj", "wo", "attn_out", "output", "Wo", "o")

DOWN = (
    "down_proj",
    "dense_4h_to_h",
    "fc2",
    "fc_out",
    "c_proj",
    "w2",
    "output_linear",
    "Wo",
    "wo",
    "linear_2",
    "ff_out",
)
UP = ("up_proj", "dense_h_to_4h", "fc1", "fc_in", "c_fc", "w3", "linear_1", "ff_proj", "v1")
GATE = ("gate_proj", "w1")
GATE_UP = ("gate_up_proj", "input_linear", "Wi", "wi", "gate_up")

INNER = ("ffn_hidden_size", "intermediate_size", "intermediate_dim")
"""Attributes that hold d_inter."""

HEAD_WIDTH = ("head_dim", "attention_head_size", "head_size", "attn_head_size")
VALUE_WIDTH = ("v_head_dim",)


def fused_rows(name: str, attention: Any, config: Any) -> Rows:
    """Return how q, k and v are ordered in a fused matrix.

    Args:
        name: Its name, one of `FUSED_ATTENTION`.
        attention: The module it is in.
        config: The configuration of the decoder.
    """
    model_type = getattr(config, "model_type", "")
    if model_type == "codegen":
        return in_four_parts  # made for four devices; its name is that of Phi-3, which stacks
    if model_type == "gpt_bigcode" and not getattr(attention, "multi_query", True):
        return grouped  # the same matrix is stacked where all heads share one key
    return FUSED_ATTENTION[name]
