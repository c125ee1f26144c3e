"""What mixes the tokens of a layer: its softmax attention with heads and projections, and the names of other mixers."""

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor, nn

from mwork_eval.errors import InputError
from mwork_eval.models import vocabulary
from mwork_eval.models.blocks import features_of, without_adapters
from mwork_eval.models.find_projections import TracedAttention
from mwork_eval.models.fused_rows import Heads, first_of_each_head

_SOFTMAX = frozenset(
    {"ALL_ATTENTION_FUNCTIONS", "eager_attention_forward", "softmax", "Softmax", "scaled_dot_product_attention"}
)
_INTERFACE = "ALL_ATTENTION_FUNCTIONS"
_KINDS = (
    ("state space", ("mamba", "ssm", "statespace")),
    ("linear attention", ("linear", "delta", "lightning", "gatednet", "kda", "retention", "rwkv")),
    ("convolution", ("conv",)),
)
"""Kinds of mixers that have no queries and keys, by words in the names of their classes and paths."""


@dataclass(frozen=True)
class Projection:
    """Where the neurons of q, k, v or o are.

    Attributes:
        module: The projection.
        rows: Its output channels that are the neurons, or None for all (and for o, whose neurons are its inputs).
    """

    module: nn.Module
    rows: Tensor | None = None


@dataclass(frozen=True)
class SoftmaxAttention:
    """An attention module whose weights are a softmax over keys.

    Attributes:
        path: Its path inside the layer.
        module: The module.
        heads: Its head counts.
        projections: q and o, and k and v unless another layer's are used.
        latent: Whether keys and values come from a shared low-rank state (multi-head latent attention). Then key
            neurons are those without rotation; the rotated part, which all heads share, has none.
        keys_of: The layer whose keys and values it uses, or None for its own.
        interface: Whether it calls transformers' attention interface.
    """

    path: str
    module: nn.Module
    heads: Heads
    projections: Mapping[str, Projection]
    latent: bool
    keys_of: int | None
    interface: bool


Trace = Callable[[nn.Module], TracedAttention | None]
"""Finds the projections of an attention module by running it; None if that fails."""


def find_attentions(
    layer: nn.Module, config: Any, number: int, trace: Trace | None = None
) -> tuple[SoftmaxAttention, ...]:
    """Find the softmax attention of a layer: usually one, two in some, none in layers with another mixer.

    Args:
        layer: The layer.
        config: The configuration of the decoder.
        number: Its number, for messages.
        trace: What to do where names do not tell; None without weights.

    Raises:
        InputError: If a module computes a softmax over keys, and its projections cannot be told.
    """
    found: list[SoftmaxAttention] = []
    for path, module in layer.named_modules():
        if not path or _within(path, (one.path for one in found)) or not uses_softmax(module):
            continue
        projections = _projections(module)
        if projections is not None:
            found.append(_attention(path, module, projections, config, number))
        elif any(_within(inner, [path]) and _projections(part) for inner, part in layer.named_modules()):
            continue  # a wrapper around the module that has them (GPT-Neo)
        elif _calls_interface(module) or _looks_like_attention(module, int(config.hidden_size)):
            traced = trace(module) if trace is not None and _calls_interface(module) else None
            if traced is None:
                raise not_understood(number, path, module, "the projections of q, k, v and o")
            parts = {name: Projection(one, traced.rows.get(name)) for name, one in traced.projections.items()}
            found.append(SoftmaxAttention(path, module, traced.heads, parts, False, None, True))
    return tuple(found)


def find_other_mixers(layer: nn.Module, attentions: tuple[SoftmaxAttention, ...]) -> Mapping[str, str]:
    """Return the mixers of a layer that are no softmax attention: their kinds by their paths."""
    found: dict[str, str] = {}
    for path, module in layer.named_modules():
        if not path or _within(path, [*found, *(one.path for one in attentions)]):
            continue
        if (kind := _kind_of(path, module)) is not None:
            found[path] = kind
    return found


def uses_softmax(module: nn.Module) -> bool:
    """Say whether the code of a module's class takes a softmax, or calls an attention function that does."""
    return bool(_SOFTMAX & _names_in(_class_of(module)))


def not_understood(number: int, path: str, module: nn.Module, what: str) -> InputError:
    """Return the error about a part of a layer that looking does not tell."""
    parts = (f"{name} {list(parameter.shape)}" for name, parameter in module.named_parameters())
    shown = ", ".join(list(parts)[:12])
    return InputError(
        f"the architecture is not understood: layer {number} has {path or 'parts'} ({type(module).__name__}) "
        f"in which {what} cannot be told",
        found=shown or "no parameters",
        expected="projections with known names, or of shapes that tell",
        hint="CONTRIBUTING.md, 'How to add an architecture'; please report the model",
    )


def _attention(
    path: str, module: nn.Module, projections: Mapping[str, Projection], config: Any, number: int
) -> SoftmaxAttention:
    heads, latent, rows = _heads(module, projections, config)
    if heads is None:
        raise not_understood(number, path, module, "the heads")
    shared = getattr(module, "kv_shared_layer_index", None) if getattr(module, "is_kv_shared_layer", False) else None
    whole = {name: Projection(one.module, rows.get(name)) for name, one in projections.items()}
    return SoftmaxAttention(path, module, heads, whole, latent, shared, _calls_interface(module))


def _projections(module: nn.Module) -> Mapping[str, Projection] | None:
    """Return the projections among the children of a module, or None if it has not all of them."""
    children = dict(_children(module))

    def first(names: Any) -> nn.Module | None:
        return next((children[name] for name in names if name in children), None)

    output, query = first(vocabulary.OUTPUT), first(vocabulary.QUERY)
    if output is None:
        return None
    fused = next((name for name in vocabulary.FUSED_ATTENTION if _has_weight(children.get(name))), None)
    if fused is not None:
        return {part: Projection(children[fused]) for part in "qkv"} | {"o": Projection(output)}
    if query is None:
        return None
    if (up := first(vocabulary.KEY_VALUE_UP)) is not None:
        return {"q": Projection(query), "k": Projection(up), "v": Projection(up), "o": Projection(output)}
    key, value = first(vocabulary.KEY), first(vocabulary.VALUE)
    if key is None:
        shared = getattr(module, "is_kv_shared_layer", False)
        return {"q": Projection(query), "o": Projection(output)} if shared else None
    found = {"q": Projection(query), "k": Projection(key)}
    return (found if value is None else {**found, "v": Projection(value)}) | {"o": Projection(output)}


def _heads(
    module: Any, projections: Mapping[str, Projection], config: Any
) -> tuple[Heads | None, bool, Mapping[str, Tensor]]:
    """Read the head counts off the projections, and the rows of q, k and v where they do not fill a matrix."""

    def rows_of(name: str) -> int:
        return features_of(without_adapters(projections[name].module))[1]

    inputs = features_of(without_adapters(projections["o"].module))[0]
    names = {id(projections[name].module) for name in "qkv" if name in projections}
    if (
        "k" in projections
        and "v" in projections
        and len(names) == 2
        and projections["k"].module is projections["v"].module
    ):
        return _latent_heads(module, rows_of("q"), rows_of("k"), inputs, config)
    width = _number(module, vocabulary.HEAD_WIDTH) or _number(config, vocabulary.HEAD_WIDTH)
    if not width or inputs % width:
        width = inputs // int(config.num_attention_heads)
    query = inputs // width
    if "k" in projections and projections["q"].module is projections["k"].module:
        groups = (rows_of("q") // width - query) // 2
        heads = Heads(query, groups, width, width)
        fused = next(name for name, child in _children(module) if child is projections["q"].module)
        return heads, False, vocabulary.fused_rows(fused, module, config)(heads)
    per_group = _number(module, ("num_key_value_groups", "num_kv_groups")) or 1
    groups = rows_of("k") // width if "k" in projections else query // per_group
    if rows_of("q") % query or rows_of("q") < query * width or not groups or query % groups:
        return None, False, {}
    heads = Heads(query, groups, width, width)
    extra = rows_of("q") != query * width  # each head's rows of an output gate follow those of its query
    return heads, False, {"q": first_of_each_head(query, width, rows_of("q"))} if extra else {}


def _latent_heads(
    module: Any, query_rows: int, up_rows: int, inputs: int, config: Any
) -> tuple[Heads | None, bool, Mapping[str, Tensor]]:
    value_width = _number(module, vocabulary.VALUE_WIDTH) or _number(config, vocabulary.VALUE_WIDTH)
    if not value_width or inputs % value_width:
        return None, True, {}
    query = inputs // value_width
    plain, rotated = up_rows // query - value_width, _number(module, ("qk_rope_head_dim",)) or 0
    width = plain + rotated
    if query_rows % query or query_rows // query < width:
        return None, True, {}
    key = first_of_each_head(query, plain, up_rows)
    value = (key.view(query, -1)[:, :1] + plain + first_of_each_head(1, value_width, value_width)).flatten()
    rows = {"k": key, "v": value}
    if query_rows != query * width:
        rows["q"] = first_of_each_head(query, width, query_rows)
    return Heads(query, query, width, value_width), True, rows


def _has_weight(module: nn.Module | None) -> bool:
    return module is not None and hasattr(without_adapters(module), "weight")


def _number(holder: Any, names: tuple[str, ...]) -> int | None:
    values = (getattr(holder, name, None) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the children of a module, those of one that torch.compile wraps where it does."""
    for name, child in module.named_children():
        if name == "_orig_mod":
            yield from _children(child)
        else:
            yield name, child


def _within(path: str, others: Any) -> bool:
    return any(path == other or path.startswith(f"{other}.") for other in others)


def _looks_like_attention(module: nn.Module, width: int) -> bool:
    """Say whether a module that takes a softmax has matrices of which one leads back, and is no mixture of experts.

    A router has one matrix, and other modules that weigh states by a softmax have none.
    """
    names = {name.rpartition(".")[2] for name, _ in module.named_modules()}
    names |= {name.rpartition(".")[2] for name, _ in module.named_parameters()}
    shapes = [features_of(part) for part in module.modules() if isinstance(part, nn.Linear)]
    experts = bool(names & {*vocabulary.DOWN} - {*vocabulary.OUTPUT})
    return not experts and len(shapes) > 1 and any(outputs == width for _, outputs in shapes)


def _calls_interface(module: nn.Module) -> bool:
    return _INTERFACE in _names_in(_class_of(module))


def _kind_of(path: str, module: nn.Module) -> str | None:
    name = f"{type(module).__name__} {path}".lower()
    own = [key for key, _ in module.named_parameters(recurse=False)]
    children = [key for key, _ in module.named_children()]
    # A recurrence has decay rates or a gate that forgets; a short convolution has a kernel beside its projections.
    recurrent = "A_log" in own or "forget_gate" in children or "slope_rate" in dict(module.named_buffers(recurse=False))
    kernel = any("conv" in key for key in children) and any("proj" in key for key in children)
    if not recurrent and not kernel:
        return None
    return next((kind for kind, words in _KINDS if any(word in name for word in words)), "another mixer")


def _class_of(module: nn.Module) -> Any:
    return type(module)


@cache
def _names_in(module_class: Any) -> frozenset[str]:
    """Return the names that the code of a module's class uses, decorators looked through."""
    found: set[str] = set()
    for owner in module_class.__mro__:
        if owner is nn.Module:
            break
        for value in vars(owner).values():
            while hasattr(value, "__wrapped__"):
                value = value.__wrapped__
            if isinstance(value, types.FunctionType):
                found |= set(_names_of_code(value.__code__))
    return frozenset(found)


def _names_of_code(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_of_code(constant)
