"""Where neurons are, told by the names of parameters and the head counts of configurations alone.

This knows nothing of how the package finds them: tests compare the two.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor


@dataclass(frozen=True)
class Part:
    """The neurons of one structure in one module.

    Attributes:
        structure: One of q, k, v, o, gate, up, down.
        replay: Path in the layer of the module that is run again, empty for the whole layer.
        watch: Path of the module whose output counts for v, o and the feed-forward.
        entries: Per parameter (its path in the layer), the flat positions of each neuron's values `[neurons, n]`.
    """

    structure: str
    replay: str
    watch: str
    entries: tuple[tuple[str, Tensor], ...]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.entries[0][1])


def layers_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return path and module of each layer of the text decoder."""
    found = {}
    for name, module in model.named_modules():
        matched = re.fullmatch(r"(.*\b(?:layers|h|blocks))\.(\d+)", name)
        if matched and not re.search(r"vision|audio|image|mtp|vit|\.(layers|h|blocks)\.\d+\.", matched[1] + "."):
            found.setdefault(matched[1], []).append((name, module))
    return max(found.values(), key=lambda layers: sum(p.numel() for _, m in layers for p in m.parameters()))


def parts_of(model: Any, layer: nn.Module) -> list[Part]:
    """Return the neurons of a layer."""
    table = _Table(model.config.get_text_config(), layer)
    return [*table.attention(), *table.feed_forward()]


_OUTPUTS = ("o_proj", "out_proj", "dense", "c_proj", "Wo", "o_b_proj")
_QUERIES = (
    ("q_proj", "k_proj", "v_proj"),
    ("Wq", "Wk", "Wv"),
    ("qkv_proj.q_proj", "qkv_proj.k_proj", "qkv_proj.v_proj"),
)
_FUSED = ("qkv_proj", "Wqkv", "c_attn", "query_key_value")
_NOT_SOFTMAX = ("A_log", "forget_gate.A_log", "output_gate.weight", "linear_y.weight")
_FEED_FORWARDS = (
    ("gate_proj", "up_proj", "down_proj"),
    ("w1", "w3", "w2"),
    ("w1", "v1", "w2"),
    (None, "up_proj", "down_proj"),
    (None, "fc1", "fc2"),
    (None, "c_fc", "c_proj"),
    (None, "fc_in", "fc_out"),
    (None, "dense_h_to_4h", "dense_4h_to_h"),
    (None, "0", "2"),
)
_FUSED_FEED_FORWARDS = (("gate_up_proj", "down_proj"), ("input_linear", "output_linear"), ("Wi", "Wo"))
_NO_FORWARD = re.compile(
    r"(^|[._])(self_attn|self_attention|attn|attention|mamba|linear_attn|conv|\w*norm|mlp\.gate)(\.|$)"
)
"""Paths in which matrices with such names are something else: attention, another mixer, a gated norm, a router."""


class _Table:
    """The parameters of one layer by name."""

    def __init__(self, config: Any, layer: nn.Module) -> None:
        self.config, self.layer = config, layer
        self.kind = str(config.model_type).removesuffix("_text")
        self.parameters = dict(layer.named_parameters(remove_duplicate=False))
        self.modules = dict(layer.named_modules(remove_duplicate=False))

    def _flat(self, name: str) -> Tensor:
        parameter = self.parameters[name]
        return torch.arange(parameter.numel()).view(parameter.shape)

    def _matrix(self, path: str) -> tuple[str, Tensor] | None:
        """Return name and positions of a weight, a linear one as `[rows, columns]`."""
        for name in (f"{path}.weight", path):
            if name in self.parameters:
                flat = self._flat(name)
                # The weights of GPT-2's projections are stored as [inputs, outputs].
                turned = type(self.modules.get(path)).__name__ == "Conv1D"
                return name, flat.T if turned else flat
        return None

    def _rows(self, structure: str, at: tuple[str, str], path: str, take: Callable[[Tensor], Tensor]) -> Part:
        found = self._matrix(path)
        assert found is not None
        name, flat = found
        entries = [(name, take(flat).flatten(0, -2))]
        bias = next((n for n in (f"{path}.bias", f"{path}_bias") if n in self.parameters), None)
        if bias is not None:
            # The bias of an expert belongs to the same rows; a row of 3-D weights that is an input has none.
            entries.append((bias, take(self._flat(bias)[..., None]).flatten(0, -2)))
        return Part(structure, *at, tuple(entries))

    def _columns(self, structure: str, at: tuple[str, str], path: str) -> Part:
        found = self._matrix(path)
        assert found is not None
        return Part(structure, *at, ((found[0], found[1].T),))

    # Attention

    def attention(self) -> Iterator[Part]:
        for path in dict.fromkeys(name.rpartition(".")[0].rpartition(".")[0] for name in self.parameters):
            if path not in self.modules or any(f"{path}.{name}" in self.parameters for name in _NOT_SOFTMAX):
                continue
            yield from self._attention(path)

    def _attention(self, path: str) -> Iterator[Part]:
        prefix = f"{path}." if path else ""
        has = {name for name in (*_OUTPUTS, *_FUSED, "kv_b_proj") if f"{prefix}{name}.weight" in self.parameters}
        queries = next((names for names in _QUERIES if f"{prefix}{names[0]}.weight" in self.parameters), None)
        fused = next((name for name in _FUSED if name in has), None)
        if path == "self_attention.experts":  # JetMoE
            yield from self._experts_of_attention(path)
            return
        output = next((name for name in _OUTPUTS if name in has), None)
        if output is None or not (queries or fused or "kv_b_proj" in has) or self.kind == "deepseek_v4":
            return
        if path.endswith("c_attn") or "mlp" in path or "indexer" in path:
            return
        at = (path, prefix + output)
        if "kv_b_proj" in has:
            yield from self._latent(path, at)
        elif queries:
            yield from self._separate(prefix, queries, at)
        else:
            yield from self._fused(path, f"{prefix}{fused}", at)
        yield self._columns("o", at, prefix + output)

    def _separate(self, prefix: str, names: tuple[str, str, str], at: tuple[str, str]) -> Iterator[Part]:
        for structure, name in zip("qkv", names, strict=True):
            if f"{prefix}{name}.weight" in self.parameters:
                take = _whole
                if structure == "q" and self.kind in {"qwen3_5", "qwen3_5_moe", "qwen3_next", "qwen4_exp"}:
                    take = _of_each_head(2 * self.config.head_dim, 0, self.config.head_dim)  # the rest is a gate
                yield self._rows(structure, at, prefix + name, take)

        if f"{prefix}qkv_proj.v_proj_delayed.weight" in self.parameters:  # Zaya: half of the heads see the token before
            parts = [self._rows("v", at, f"{prefix}qkv_proj.v_proj_{part}", _whole) for part in ("current", "delayed")]
            yield from parts

    def _latent(self, path: str, at: tuple[str, str]) -> Iterator[Part]:
        module = self.modules[path]
        key, value = module.qk_nope_head_dim, module.v_head_dim
        query = key + module.qk_rope_head_dim
        name = next(n for n in ("q_b_proj", "q_gate_proj", "q_proj") if f"{path}.{n}.weight" in self.parameters)
        gated = query + value if name == "q_gate_proj" else query
        yield self._rows("q", at, f"{path}.{name}", _of_each_head(gated, 0, query))
        yield self._rows("k", at, f"{path}.kv_b_proj", _of_each_head(key + value, 0, key))
        yield self._rows("v", at, f"{path}.kv_b_proj", _of_each_head(key + value, key, value))

    def _fused(self, path: str, name: str, at: tuple[str, str]) -> Iterator[Part]:
        heads = self.config.num_attention_heads
        width = self.config.hidden_size // heads
        rows = self._matrix(name)[1].shape[0]  # type: ignore[index]
        groups = (rows // width - heads) // 2
        takes: dict[str, Callable[[Tensor], Tensor]] = {
            "q": _slice(0, heads * width),
            "k": _slice(heads * width, groups * width),
            "v": _slice((heads + groups) * width, groups * width),
        }
        per_head = {"query_key_value", "c_attn"} if self.kind == "gpt_bigcode" else {"query_key_value"}
        if self.kind == "codegen":  # four parts, as many devices had; in each q, v, k
            takes = {s: _of_each_head(rows // 4, n * rows // 12, rows // 12) for s, n in (("q", 0), ("v", 1), ("k", 2))}
        elif name.rpartition(".")[2] in per_head and not (self.kind == "gpt_bigcode" and self.config.multi_query):
            grouped = groups if self.kind == "falcon" else heads
            query = heads // grouped
            takes = {
                s: _of_each_head((query + 2) * width, first * width, count * width)
                for s, first, count in (("q", 0, query), ("k", query, 1), ("v", query + 1, 1))
            }
        for structure, take in takes.items():
            yield self._rows(structure, at, name, take)

    def _experts_of_attention(self, path: str) -> Iterator[Part]:
        outer = path.rpartition(".")[0]
        at = (outer, outer)
        yield self._rows("q", at, f"{path}.input_linear", _whole)
        for structure, half in (("k", 0), ("v", 1)):
            yield self._rows(structure, at, f"{outer}.kv_proj", _half(half))
        name = f"{path}.output_linear.weight"
        yield Part("o", *at, ((name, self._flat(name).transpose(1, 2).flatten(0, 1)),))

    # Feed-forward

    def feed_forward(self) -> Iterator[Part]:
        taken = set()
        for path in dict.fromkeys(_owner(name) for name in self.parameters):
            if _NO_FORWARD.search(path):
                continue
            prefix = f"{path}." if path else ""
            for gate, up, down in _FEED_FORWARDS:
                names = [prefix + name for name in (gate, up, down) if name is not None]
                if path not in taken and all(self._matrix(name) for name in names):
                    taken.add(path)
                    at = self._forward_at(path, names[-1])
                    for structure, name in zip(("gate", "up") if gate else ("up",), names, strict=False):
                        yield self._forward_rows(structure, at, name, _whole)
                    yield self._forward_columns(at, names[-1])
            for fused, down in _FUSED_FEED_FORWARDS:
                if path not in taken and self._matrix(prefix + fused) and self._matrix(prefix + down):
                    taken.add(path)
                    at = self._forward_at(path, prefix + down)
                    halves = (_every_other(0), _every_other(1)) if self.kind == "gpt_oss" else (_half(0), _half(1))
                    for structure, half in zip(("gate", "up"), halves, strict=True):
                        yield self._forward_rows(structure, at, prefix + fused, half)
                    yield self._forward_columns(at, prefix + down)

    def _forward_at(self, path: str, down: str) -> tuple[str, str]:
        if not path:  # OPT has no module for its feed-forward
            return "", down
        names = path.split(".")
        nested = isinstance(self.modules[names[0]], nn.ModuleList) or names[0] in {
            "shared_transf",
            "shared_transformer",
        }
        module = ".".join(names[: 2 if nested else 1])
        return module, module

    def _forward_rows(self, structure: str, at: tuple[str, str], path: str, half: Callable[[Tensor], Tensor]) -> Part:
        name, flat = self._matrix(path)  # type: ignore[misc]
        if flat.dim() == 2:
            return self._rows(structure, at, path, half)
        count = self._experts()
        # Experts are [experts, outputs, inputs] in most models and [experts, inputs, outputs] in some.
        rows = (flat if flat.shape[2] == self.config.hidden_size else flat.transpose(1, 2))[:count]
        entries = [(name, torch.stack([half(expert) for expert in rows]).flatten(0, 1))]
        if f"{path}_bias" in self.parameters:
            bias = self._flat(f"{path}_bias")[..., None]
            entries.append((f"{path}_bias", torch.stack([half(expert) for expert in bias]).flatten(0, 1)))
        return Part(structure, *at, tuple(entries))

    def _forward_columns(self, at: tuple[str, str], path: str) -> Part:
        name, flat = self._matrix(path)  # type: ignore[misc]
        if flat.dim() == 3:
            flat = (flat.transpose(1, 2) if flat.shape[1] == self.config.hidden_size else flat).flatten(0, 1)
            return Part("down", *at, ((name, flat),))
        # Dbrx keeps the outputs of all experts as rows.
        return Part("down", *at, ((name, flat if self.kind == "dbrx" else flat.T),))

    def _experts(self) -> int | None:
        """Return how many experts have weights that count: LongCat has some that pass on what they get."""
        return int(self.config.n_routed_experts) if self.kind == "longcat_flash" else None


def _owner(name: str) -> str:
    """Return the path of the module that a projection belongs to: `mlp` of `mlp.up_proj.weight`."""
    path = name.removesuffix(".weight").removesuffix(".bias")
    return path.rpartition(".")[0]


def _whole(flat: Tensor) -> Tensor:
    return flat


def _slice(start: int, count: int) -> Callable[[Tensor], Tensor]:
    return lambda flat: flat.narrow(0, start, count)


def _half(number: int) -> Callable[[Tensor], Tensor]:
    return lambda flat: flat.chunk(2, 0)[number]


def _every_other(number: int) -> Callable[[Tensor], Tensor]:
    return lambda flat: flat[number::2]


def _of_each_head(width: int, start: int, count: int) -> Callable[[Tensor], Tensor]:
    """Return what takes some rows of each head's."""
    return lambda flat: flat.unflatten(0, (-1, width)).narrow(1, start, count).flatten(0, 1)
