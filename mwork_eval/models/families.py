"""The one table of model families: where each keeps the weights of a layer, and how its attention turns positions in.

A family is one row. Paths are dotted names inside a layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mwork_eval.models.slices import Slice, expert_columns, expert_half, grouped, half, stacked, whole

Rotary = Literal["half", "interleaved", "none"]
"""How rotary embeddings pair the channels of a head: (k, k + r/2), (2k, 2k + 1), or not at all."""


@dataclass(frozen=True)
class Matrix:
    """Where a structure's neurons are.

    Attributes:
        path: The module, or for experts the parameter, inside a layer.
        part: The part of its weight.
        experts: Whether the path is a parameter that holds all experts of a layer.
    """

    path: str
    part: Slice = whole
    experts: bool = False


Matrices = Mapping[str, Matrix]


def _separate(prefix: str, **names: str) -> Matrices:
    return {structure: Matrix(f"{prefix}.{name}") for structure, name in names.items()}


def _fused(path: str, layout: Callable[[str], Slice], output: str) -> Matrices:
    return {part: Matrix(path, layout(part)) for part in "qkv"} | {"o": Matrix(output)}


_ATTENTION = _separate("self_attn", q="q_proj", k="k_proj", v="v_proj", o="o_proj")
_GATED = _separate("mlp", gate="gate_proj", up="up_proj", down="down_proj")
_EXPERTS: Matrices = {
    "gate": Matrix("mlp.experts.gate_up_proj", expert_half(0), experts=True),
    "up": Matrix("mlp.experts.gate_up_proj", expert_half(1), experts=True),
    "down": Matrix("mlp.experts.down_proj", expert_columns, experts=True),
}
_PLAIN = _separate("mlp", up="dense_h_to_4h", down="dense_4h_to_h")


@dataclass(frozen=True)
class Family:
    """How a model family is built.

    Attributes:
        name: Name used in files and messages.
        model_types: The values of `config.model_type` that belong to it.
        attention_matrices: q, k, v and o.
        feed_forward: Alternatives of gate, up and down, or up and down; a layer has the first whose paths exist.
        attention: Path of the attention module.
        layers: Path of the list of layers inside the text decoder.
        rotary: How channels are paired by rotary embeddings.
        interface: Whether attention runs through transformers' attention interface. Where it does not, the
            queries are rebuilt from the fused projection and the arguments of the attention module.
        scaled_alibi: Whether the position bias of each key is multiplied by the attention scale too.
    """

    name: str
    model_types: tuple[str, ...]
    attention_matrices: Matrices
    feed_forward: tuple[Matrices, ...] = (_GATED,)
    attention: str = "self_attn"
    layers: str = "layers"
    rotary: Rotary = "half"
    interface: bool = True
    scaled_alibi: bool = False


FAMILIES: tuple[Family, ...] = (
    Family("llama", ("llama",), _ATTENTION),
    Family("mistral", ("mistral",), _ATTENTION),
    Family("mixtral", ("mixtral",), _ATTENTION, (_EXPERTS,)),
    Family("qwen2", ("qwen2",), _ATTENTION),
    Family("qwen3", ("qwen3",), _ATTENTION),
    Family("qwen3-moe", ("qwen3_moe",), _ATTENTION, (_EXPERTS, _GATED)),
    Family("gemma", ("gemma",), _ATTENTION),
    Family("gemma2", ("gemma2",), _ATTENTION),
    Family("gemma3", ("gemma3_text", "gemma3"), _ATTENTION),
    Family(
        "phi3",
        ("phi3",),
        _fused("self_attn.qkv_proj", stacked, "self_attn.o_proj"),
        (
            {
                "gate": Matrix("mlp.gate_up_proj", half(0)),
                "up": Matrix("mlp.gate_up_proj", half(1)),
                "down": Matrix("mlp.down_proj"),
            },
        ),
    ),
    Family("olmo2", ("olmo2",), _ATTENTION),
    Family("granite", ("granite",), _ATTENTION),
    Family("cohere", ("cohere",), _ATTENTION, rotary="interleaved"),
    Family(
        "falcon",
        ("falcon",),
        _fused("self_attention.query_key_value", grouped, "self_attention.dense"),
        (_PLAIN,),
        attention="self_attention",
        layers="h",
        interface=False,
        scaled_alibi=True,
    ),
    Family(
        "gpt-neox",
        ("gpt_neox",),
        _fused("attention.query_key_value", grouped, "attention.dense"),
        (_PLAIN,),
        attention="attention",
    ),
    Family(
        "bloom",
        ("bloom",),
        _fused("self_attention.query_key_value", grouped, "self_attention.dense"),
        (_PLAIN,),
        attention="self_attention",
        layers="h",
        rotary="none",
        interface=False,
    ),
    Family(
        "opt",
        ("opt",),
        _separate("self_attn", q="q_proj", k="k_proj", v="v_proj", o="out_proj"),
        ({"up": Matrix("fc1"), "down": Matrix("fc2")},),
        rotary="none",
    ),
    Family(
        "gpt2",
        ("gpt2",),
        _fused("attn.c_attn", stacked, "attn.c_proj"),
        ({"up": Matrix("mlp.c_fc"), "down": Matrix("mlp.c_proj")},),
        attention="attn",
        layers="h",
        rotary="none",
    ),
)


def find_family(model_type: str) -> Family | None:
    """Return the family of a `config.model_type`, or None if it is not supported."""
    return next((family for family in FAMILIES if model_type in family.model_types), None)
