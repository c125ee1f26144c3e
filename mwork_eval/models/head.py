"""The output head: from hidden states to log-probabilities and best tokens, without a vocabulary-wide matrix."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import torch
from torch import nn

from mwork_eval.models.linear import linear
from mwork_eval.models.placement import computing_device

Tensor = torch.Tensor

POSITIONS = 512
"""Positions at a time."""
BLOCK_BYTES = {"cpu": 8 * 1024**2}
"""Largest matrix of logits at a time, by type of device; small enough for a CPU's cache, where it is made and used up.
Measured for 512 positions and 262,144 words in float32 on two cores: 1.03 s, against 1.36 s for all logits at once."""
ELSEWHERE_BYTES = 256 * 1024**2
FEW = {torch.float32: 8, torch.bfloat16: 64}
"""Up to so many positions, weights times states is faster on a CPU than states times weights: 16 ms against 75 ms for
four positions in float32, and half of the time for 48 in bfloat16, where oneDNN else packs the weights every time."""

# What architectures do to the result of their output embeddings.
_FINISHES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "multiply": lambda logits, scale: logits.mul_(scale),
    "divide": lambda logits, scale: logits.div_(scale),
    "cap": lambda logits, cap: torch.tanh(logits.div_(cap)) * cap,
}
# Which of it, by the configuration entry that holds the value, in the order it is done.
_ENTRIES: dict[str, tuple[str, ...]] = {
    "logit_scale": ("multiply",),  # Cohere
    "lm_head_multiplier": ("multiply",),  # Falcon H1
    "output_multiplier": ("multiply",),
    "logits_mup_width_multiplier": ("divide",),  # Inkling
    "logits_scaling": ("divide", "multiply"),  # Granite and MiniCPM 3; HyperCLOVA X
    "final_logit_softcapping": ("cap",),  # Gemma 2
    "logits_soft_cap": ("cap",),  # RecurrentGemma
}


@dataclass(frozen=True)
class Choices:
    """What the head says about given tokens at given positions.

    Attributes:
        log_probability: `[n]`, natural logarithm.
        is_best: `[n]`, whether the token is the most probable one.
    """

    log_probability: Tensor
    is_best: Tensor


@dataclass(frozen=True)
class OutputHead:
    """The output embeddings of a model and what its family does to their result.

    Attributes:
        module: The output embeddings.
        finishes: Steps from their result to the logits (`multiply`, `divide`, `cap`), each with its value.
        dtype: Type in which probabilities are computed.
    """

    module: Any
    finishes: tuple[tuple[str, float], ...] = ()
    dtype: torch.dtype = torch.float32

    @classmethod
    def of(cls, model: Any, dtype: torch.dtype = torch.float32) -> "OutputHead | None":
        """Return the head of a causal language model as its configuration says, or None if it has none.

        What one architecture multiplies by another divides by, under the same name: `find_head` asks the model.
        """
        return next(cls.candidates(model, dtype), None)

    @classmethod
    def candidates(cls, model: Any, dtype: torch.dtype = torch.float32) -> "Iterator[OutputHead]":
        """Yield the heads that a causal language model may have, the most frequent meaning of its entries first."""
        if (module := model.get_output_embeddings()) is None:
            return
        config = model.config.get_text_config(decoder=True)
        entries = ((getattr(config, name, None), ways) for name, ways in _ENTRIES.items())
        given = [(ways, float(value)) for value, ways in entries if value is not None]
        for ways in product(*(ways for ways, _ in given)):
            yield cls(module, tuple(zip(ways, (value for _, value in given), strict=True)), dtype)

    def logits(self, states: Tensor) -> Tensor:
        """Return the logits `[n, vocabulary]` of hidden states `[n, d_model]`."""
        return self.finished(self.module(states))

    def best(self, states: Tensor) -> Tensor:
        """Return the most probable token `[n]` after each of the hidden states `[n, d_model]`."""
        found = []
        here = states.device
        for chunk in states.to(computing_device(self.module)).split(self._positions(states)):
            best = torch.full((len(chunk),), -torch.inf, dtype=self.dtype, device=chunk.device)
            token = torch.zeros(len(chunk), dtype=torch.long, device=chunk.device)
            for start, logits in self._blocks(chunk):
                top, where = logits.max(-1)
                token = torch.where(top > best, where + start, token)
                best = torch.maximum(best, top)
            found.append(token)
        return torch.cat(found).to(here)

    def top(self, states: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return the most probable tokens after each of the hidden states `[n, d_model]`, the best first.

        Args:
            states: The hidden states.
            k: How many tokens, at most the size of the vocabulary.

        Returns:
            The tokens and their log-probabilities (natural logarithm), `[n, k]` each.
        """
        here = states.device
        chunks = states.to(computing_device(self.module)).split(self._positions(states))
        tokens, log_probabilities = zip(*(self._top(chunk, k) for chunk in chunks), strict=True)
        return torch.cat(tokens).to(here), torch.cat(log_probabilities).to(here)

    def _top(self, states: Tensor, k: int) -> tuple[Tensor, Tensor]:
        best = torch.empty(len(states), 0, dtype=self.dtype, device=states.device)
        token = torch.empty(len(states), 0, dtype=torch.long, device=states.device)
        total = torch.full((len(states),), -torch.inf, dtype=self.dtype, device=states.device)
        for start, logits in self._blocks(states):
            total = torch.logaddexp(total, logits.logsumexp(-1))
            values, where = logits.topk(min(k, logits.shape[1]))
            candidates = torch.cat([best, values], 1)
            best, order = candidates.topk(min(k, candidates.shape[1]))
            token = torch.cat([token, where + start], 1).gather(1, order)
        return token, best - total[:, None]

    def choices(self, states: Tensor, position: Tensor, token: Tensor) -> Choices:
        """Return what the head says about tokens.

        Args:
            states: Hidden states `[positions, d_model]`.
            position: Ascending index into them `[n]`.
            token: The token asked about `[n]`.
        """
        here, there = states.device, computing_device(self.module)
        states, position, token = states.to(there), position.to(there), token.to(there)
        size = self._positions(states)
        edges = [*range(0, len(states), size), len(states)]
        bounds = torch.searchsorted(position, torch.tensor(edges, device=position.device)).tolist()
        parts = [
            self._choices(states[start:end], position[low:high] - start, token[low:high])
            for (start, end), (low, high) in zip(pairwise(edges), pairwise(bounds), strict=True)
        ]
        return Choices(
            torch.cat([part.log_probability for part in parts]).to(here),
            torch.cat([part.is_best for part in parts]).to(here),
        )

    def _choices(self, states: Tensor, position: Tensor, token: Tensor) -> Choices:
        best = torch.full((len(states),), -torch.inf, dtype=self.dtype, device=states.device)
        total = torch.zeros_like(best)  # Σ exp(logit - best) so far
        chosen = torch.empty(len(token), dtype=self.dtype, device=states.device)
        first = torch.zeros(len(states), dtype=torch.long, device=states.device)
        for start, logits in self._blocks(states):
            asked = (token >= start) & (token < start + logits.shape[1])
            chosen[asked] = logits[position[asked], token[asked] - start]
            highest, where = logits.max(-1)
            first = torch.where(highest > best, where + start, first)
            top = torch.maximum(best, highest)
            total = total * torch.exp(best - top) + logits.sub_(top[:, None]).exp_().sum(-1)
            best = top
        return Choices(chosen - (total.log() + best)[position], token == first[position])

    def _blocks(self, states: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield the logits `[n, words]` of parts of the vocabulary, and the first word of each part."""
        weight = self.plain_weight
        if weight is None:
            yield 0, self.logits(states).to(self.dtype)
            return
        states = states.to(weight.dtype)  # automatic mixed precision gives another
        bias: Tensor | None = self.module.bias
        few = states.device.type == "cpu" and len(states) <= FEW.get(states.dtype, FEW[torch.float32])
        padded = torch.cat([states, states[: len(states) % 2]]) if few else states  # an odd number is slower
        size = BLOCK_BYTES.get(states.device.type, ELSEWHERE_BYTES)
        words = max(1, size // (len(states) * states.element_size()))
        for start in range(0, len(weight), words):
            part = weight[start : start + words]
            some = None if bias is None else bias[start : start + words]
            if few:
                logits = (part @ padded.T)[:, : len(states)].T.contiguous()
                logits = logits if some is None else logits + some
            else:
                logits = linear(states, part, some)
            yield start, self.finished(logits).to(self.dtype)

    @property
    def plain_weight(self) -> Tensor | None:
        """The output embeddings if they are plain numbers in one place, so that parts of them can be used."""
        plain = type(self.module) is nn.Linear and not hasattr(self.module, "_hf_hook")
        return self.module.weight if plain and not self.module.weight.is_meta else None

    def finished(self, logits: Tensor) -> Tensor:
        """Return the logits that the family makes of the result of its output embeddings, which may be overwritten."""
        for name, value in self.finishes:
            logits = _FINISHES[name](logits, value)
        return logits

    def _positions(self, states: Tensor) -> int:
        """Return how many positions to take at a time."""
        if self.plain_weight is not None:
            return POSITIONS
        words = int(getattr(self.module, "out_features", None) or self.module.weight.shape[0])
        return max(1, min(POSITIONS, ELSEWHERE_BYTES // (words * states.element_size())))
