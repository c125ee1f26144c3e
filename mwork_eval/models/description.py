"""What was found in the layers of a model, in words: what mixes its tokens, and its feed-forward."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from mwork_eval.models.blocks import without_adapters
from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.forms import form_of, layer_type
from mwork_eval.models.layout import Layout
from mwork_eval.models.mixers import SoftmaxAttention
from mwork_eval.models.rotary_pairs import rotary_pairs, uses_rotation

PartKind = Literal["attention", "mixer", "feed-forward"]

_ACTIVATIONS = ("hidden_activation", "hidden_act", "activation_function", "mlp_hidden_act", "activation", "ffn_act_fn")
_PER_TOKEN = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk", "top_k", "moe_k")
_SOFT_CAPS = ("attn_logit_softcapping", "attention_logit_cap", "softcap")
_WINDOWS = ("sliding", "local", "window")
_NORMS = {"q": ("q_norm", "query_norm", "q_layernorm", "query_layernorm", "q_ln"), "k": ("k_norm", "key_norm")}


@dataclass(frozen=True)
class LayerPart:
    """A part that some layers have alike.

    Attributes:
        kind: What it is: `attention`, another `mixer`, or `feed-forward`.
        what: What was found, in words.
        layers: The layers that have it.
    """

    kind: PartKind
    what: str
    layers: tuple[int, ...]


def describe_layers(layout: Layout) -> Iterator[LayerPart]:
    """Yield the parts of the layers, those that are alike once: attention, other mixers, then feed-forwards."""
    kinds: dict[PartKind, dict[str, list[int]]] = {"attention": {}, "mixer": {}, "feed-forward": {}}
    forms: dict[Hashable, dict[PartKind, list[str]]] = {}
    for layer in range(layout.shape.layers):
        form = form_of(layout, layer), tuple(one.keys_of for one in layout.attentions[layer])
        if form not in forms:
            forms[form] = {
                "attention": [_attention(layout, layer, one) for one in layout.attentions[layer]],
                "mixer": list(layout.other_mixers[layer].values()),
                "feed-forward": [_feed_forward(layout, layer)] if layout.feed_forwards[layer] else [],
            }
        for kind, words in forms[form].items():
            if words:
                kinds[kind].setdefault(" and ".join(_counted(words)), []).append(layer)
    for kind, by_words in kinds.items():
        for what, layers in by_words.items():
            yield LayerPart(kind, what, tuple(layers))


def _counted(words: list[str]) -> list[str]:
    counts = {word: words.count(word) for word in words}
    return [word if count == 1 else f"{count} x {word}" for word, count in counts.items()]


def _attention(layout: Layout, layer: int, one: SoftmaxAttention) -> str:
    config: Any = layout.decoder.config
    heads = one.heads
    latent = ["latent"] if one.latent else []
    widths = f"{heads.width} channels"
    if heads.value_width != heads.width:
        widths = f"{heads.width} channels ({heads.value_width} of values)"
    of_keys = f"{heads.query} query and {heads.groups} key/value heads" if heads.groups != heads.query else ""
    found = [*latent, f"{of_keys or f'{heads.query} heads'} of {widths}"]
    found.append(_window(one.module, config, layer_type(layout, layer) or ""))
    found.append(_positions(one, layout, layer))
    found.append(_norms(one))
    found.append(_biases(layout, layer))
    if any("sink" in name for name, _ in one.module.named_parameters(recurse=False)):
        found.append("sinks")
    if cap := _number(one.module, _SOFT_CAPS) or _number(config, _SOFT_CAPS):
        found.append(f"logits capped at {cap:g}")
    if _has_gate(one):
        found.append("output gate")
    if one.keys_of is not None:
        found.append(f"keys and values of layer {one.keys_of}")
    elif "k" not in one.projections:
        found.append("keys and values of an earlier layer")
    elif "v" not in one.projections:
        found.append("values are the keys")
    return ", ".join(filter(None, found))


def _window(module: nn.Module, config: Any, kind: str) -> str:
    if "chunk" in kind:
        return f"chunks of {getattr(config, 'attention_chunk_size', '?'):,} tokens"
    if kind and not any(word in kind for word in _WINDOWS):
        return ""
    own = getattr(module, "sliding_window", None) if hasattr(module, "sliding_window") else None
    local = getattr(module, "attention_type", None) == "local" and getattr(config, "window_size", None)
    size = own or local or (getattr(config, "sliding_window", None) if not hasattr(module, "sliding_window") else None)
    size = size[0] if isinstance(size, tuple | list) and size else size
    return f"window of {size:,} tokens" if isinstance(size, int) and not isinstance(size, bool) else ""


def _positions(one: SoftmaxAttention, layout: Layout, layer: int) -> str:
    config: Any = layout.decoder.config
    if _without_rotary(one.module, config, layer):
        return "no rotary positions"
    if getattr(config, "alibi", False) is True or config.model_type in ("bloom", "mpt"):
        return "ALiBi"
    pairs = rotary_pairs(one.module, interleaved=getattr(config, "rope_interleave", None))
    kind = layer_type(layout, layer)
    rotates = uses_rotation(layout.decoder, one.module, kind)
    if rotates is False:
        return "no rotary positions"
    if pairs is None:
        learnt = any("position" in name or name.endswith("wpe") for name, _ in layout.decoder.named_children())
        return "learnt positions" if learnt else "no positions"
    if pairs == "unknown":
        return "rotary (how is read when the model is loaded)"
    share = _rotated_share(one, config, kind)
    unsure = ", in layers that the loaded model tells" if rotates is None and kind is not None else ""
    return f"rotary ({pairs}{', ' + share if share else ''}{unsure})"


def _without_rotary(module: Any, config: Any, layer: int) -> bool:
    for name in ("use_rope", "use_rotary", "has_rope"):
        if isinstance(value := getattr(module, name, None), bool | int) and not isinstance(value, type):
            return not value
    per_layer = getattr(config, "no_rope_layers", None)
    if isinstance(per_layer, list) and layer < len(per_layer) and set(per_layer) <= {0, 1}:
        return not per_layer[layer]
    return False


def _rotated_share(one: SoftmaxAttention, config: Any, kind: str | None) -> str:
    """Return how many channels of a head rotate, if not all do."""
    width = one.heads.width
    if one.latent:
        rotated = getattr(one.module, "qk_rope_head_dim", None) or getattr(config, "qk_rope_head_dim", None)
    else:
        rotated = next(
            (v for name in ("rotary_dim", "rotary_ndims") if isinstance(v := getattr(one.module, name, None), int)),
            None,
        )
        parameters = getattr(config, "rope_parameters", None) or {}
        if isinstance(parameters, Mapping) and isinstance(parameters.get(kind), Mapping):
            parameters = parameters[kind]
        share = parameters.get("partial_rotary_factor") if isinstance(parameters, Mapping) else None
        share = share or getattr(config, "partial_rotary_factor", None)
        if rotated is None and isinstance(share, float | int):
            rotated = int(width * share)
    return f"{rotated} of {width} channels" if rotated and rotated < width else ""


def _norms(one: SoftmaxAttention) -> str:
    names = {name for name, child in one.module.named_children() if "norm" in type(child).__name__.lower()}
    found = [
        structure
        for structure in "qkv"
        if any(name in names for name in (*_NORMS.get(structure, ()), f"{structure}_norm", f"{structure}_layernorm"))
    ]
    if not found:
        return ""
    norm = next(child for name, child in one.module.named_children() if name in names and name[0] in "qk")
    weight = getattr(norm, "weight", None)
    over_all = one.heads.query > 1 and weight is not None and weight.ndim == 1 and weight.numel() != one.heads.width
    return f"norms of {', '.join(found)} {'over all heads' if over_all and not one.latent else 'by head'}"


def _biases(layout: Layout, layer: int) -> str:
    structures = [
        structure
        for structure in ("q", "k", "v")
        if any(block.bias is not None for block in layout.blocks.get((layer, structure), ()))
    ]
    output: Any = without_adapters(layout.attentions[layer][0].projections["o"].module)
    if getattr(output, "bias", None) is not None:
        structures.append("o")
    return f"biases of {', '.join(structures)}" if structures else ""


def _has_gate(one: SoftmaxAttention) -> bool:
    own = any("gate" in name and "proj" in name for name, _ in one.module.named_children())
    query = one.projections["q"]
    alone = all(query.module is not other.module for name, other in one.projections.items() if name != "q")
    return own or (alone and query.rows is not None and not one.latent)


def _feed_forward(layout: Layout, layer: int) -> str:
    config: Any = layout.decoder.config
    parts = layout.feed_forwards[layer]
    routed = [part for part in parts if part.kind != "dense"]
    dense = [part for part in parts if part.kind == "dense"]
    found = []
    if routed:
        count = sum(part.blocks["up"].experts or 1 for part in routed)
        size = sum(part.blocks["up"].size for part in routed) // max(count, 1)
        per_token = _number(config, _PER_TOKEN)
        chosen = f", {per_token:g} per token" if per_token else ""
        found.append(f"{count} experts of {size:,}{chosen}")
    beside = "shared " if routed else ""
    found += _counted([f"{beside}{part.blocks['up'].size:,}" for part in dense])
    gated = {"gate" in part.blocks for part in parts}
    gates = "gated" if gated == {True} else "no gate" if gated == {False} else "some gated"
    biased = any(block.bias is not None for part in parts for block in part.blocks.values())
    words = [" and ".join(found), gates, _activation(parts, config), "biases" if biased else ""]
    return ", ".join(filter(None, words))


def _activation(parts: tuple[FeedForward, ...], config: Any) -> str:
    """Return what the configuration calls the activation, where the module has one that it can be the name of."""
    holder: Any = parts[0].module
    found = next(
        (c for name in ("act_fn", "act", "activation_fn", "activation") if (c := getattr(holder, name, None))), None
    )
    if found is None:
        return ""
    named = next((str(v) for name in _ACTIVATIONS if isinstance(v := getattr(config, name, None), str)), "")
    return named or type(found).__name__


def _number(holder: Any, names: tuple[str, ...]) -> float | None:
    values = (getattr(holder, name, None) for name in names)
    numbers = (v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and v > 0)
    return next(numbers, None)
