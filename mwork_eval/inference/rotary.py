"""Rotary embeddings whose frequencies depend on how long the longest row of a forward pass is."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

_POSITIONS = 24


@dataclass(frozen=True)
class Rotary:
    """The rotary embeddings of a model that choose their frequencies by length.

    `longrope` (Phi-3, Phi-4-mini) has one set of frequencies up to its original context and another beyond; `dynamic`
    stretches them with the longest row it has seen, and keeps them for later rows (transformers'
    `modeling_rope_utils.dynamic_rope_update`).

    Attributes:
        modules: The modules, each with the types of layers it serves, or None where it serves all alike.
        reach: Tokens up to which a row's frequencies are its own in any batch; None if they always are.
    """

    modules: tuple[tuple[Any, str | None], ...]
    reach: int | None

    @classmethod
    def of(cls, model: Any) -> "Rotary":
        """Find them among the modules of a model."""
        found: list[tuple[Any, str | None]] = []
        reaches: list[int] = []
        for module in _modules(model):
            types = getattr(module, "rope_type", None)
            for layer_type, name in types.items() if isinstance(types, dict) else [(None, types)]:
                if name != "longrope" and "dynamic" not in str(name):
                    continue
                found.append((module, layer_type))
                if name == "longrope":
                    settings = module.config.rope_parameters
                    settings = settings if layer_type is None else settings[layer_type]
                    reaches.append(int(settings["original_max_position_embeddings"]))
                else:
                    reaches.append(int(module.original_max_seq_len))
        return cls(tuple(found), min(reaches, default=None))

    def split(self, lengths: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the indices of rows that may share a forward pass, and of those that have to be alone.

        Args:
            lengths: Tokens of each row at its end.
        """
        alone = [number for number, length in enumerate(lengths) if self.reach is not None and length > self.reach]
        apart = set(alone)
        return [number for number in range(len(lengths)) if number not in apart], alone

    @contextmanager
    def fresh(self) -> Iterator[None]:
        """Let frequencies be those of a model just loaded, before a block and after it."""
        self._reset()
        try:
            yield
        finally:
            self._reset()

    def _reset(self) -> None:
        for module, layer_type in self.modules:
            _frequencies(module, layer_type, [0])


def depends_on_batch(model: Any, longest: int) -> bool:
    """Say whether a rotary embedding gives a row's positions other values beside a row of ``longest`` tokens.

    Only those that are not found by `Rotary.of` are asked; no layer is computed.
    """
    known = {id(module) for module, _ in Rotary.of(model).modules}
    for module in _modules(model):
        if id(module) in known or not _is_rotary(module):
            continue
        own = list(range(min(_POSITIONS, longest)))
        types = getattr(module, "rope_type", None)
        for layer_type in types if isinstance(types, dict) else (None,):
            before = _frequencies(module, layer_type, own)
            beside = _frequencies(module, layer_type, [*own, longest - 1])[: len(own)]
            if not torch.equal(before, beside):
                return True
    return False


def _modules(model: Any) -> list[Any]:
    return list(model.modules()) if hasattr(model, "modules") else []


def _is_rotary(module: Any) -> bool:
    if not any(name.endswith("inv_freq") for name, _ in module.named_buffers(recurse=False)):
        return False
    return list(inspect.signature(module.forward).parameters)[:2] == ["x", "position_ids"]


def _frequencies(module: Any, layer_type: str | None, positions: Sequence[int]) -> torch.Tensor:
    """Return what a rotary module gives for positions `[positions, width]`."""
    device = next((buffer.device for buffer in module.buffers() if not buffer.is_meta), torch.device("cpu"))
    extra = {} if layer_type is None else {"layer_type": layer_type}
    with torch.no_grad():
        found = module(torch.zeros(1, device=device), torch.tensor([list(positions)], device=device), **extra)
    # Cosines and sines, or complex numbers of these parts.
    parts = [torch.view_as_real(found).flatten(-2)] if isinstance(found, torch.Tensor) else found
    return torch.cat([part[0] for part in parts], -1)
