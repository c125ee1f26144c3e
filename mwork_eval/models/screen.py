"""The most probable tokens of step after step on a CPU, by reading half of the output embeddings."""

import math
from dataclasses import dataclass

import torch

from mwork_eval.models.head import OutputHead
from mwork_eval.models.loading import has_native_bfloat16

Tensor = torch.Tensor

ROWS = 64
"""States at a time; their rounded logits of the whole vocabulary are 33 MB for 262,144 words."""
_LEAST_GROUP = 16
_AFTER = 8
"""Calls of up to `ROWS` states the plain way before a copy is made, which takes about as long as they do."""
_LEAST_BYTES = 32 * 1024**2
_CANDIDATES = 64
"""Candidates per state, on average, beyond which they are not worth looking at one by one."""

_HALF = 2.0**-9  # largest relative error of a number rounded to bfloat16
_TINY = 2.0**-126  # smaller numbers may count as zero


@dataclass(frozen=True)
class Screen:
    """Output embeddings rounded to bfloat16, which say which words cannot be the most probable one.

    A logit of rounded states and rounded embeddings is off by at most ``|h - h'| |w| + |h'| |w - w'|``
    (Cauchy-Schwarz) and the rounding of the sum. Words whose rounded logit is further below the best one than the
    bounds of both cannot be chosen; of the others, few, the products are summed in float64 from the numbers themselves.
    What is chosen is the first of the words whose logits, rounded to float32, are largest.

    Attributes:
        head: The head, one of those that have a `copy_size`.
        rounded: Its output embeddings `[vocabulary, d_model]` in bfloat16.
        norm: Nothing less than the largest norm of a row, rounded or not.
    """

    head: OutputHead
    rounded: Tensor
    norm: float

    @classmethod
    def of(cls, head: OutputHead) -> "Screen":
        """Make one of a head whose weights do not change while it is used."""
        weight = head.module.weight.detach()
        rounded, largest = torch.empty_like(weight, dtype=torch.bfloat16), 0.0
        for here, there in zip(weight.split(4096), rounded.split(4096), strict=True):
            there.copy_(here)
            largest = max(largest, float(torch.linalg.vector_norm(here, dim=1).max()))
        # Squares of numbers below 2 ** -63 may count as zero.
        return cls(head, rounded, largest * (1 + 2 * _HALF) + math.sqrt(weight.shape[1]) * 2.0**-63)

    def best(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the most probable token after states `[n, d_model]`, and for which of them it is known `[n]`."""
        rounded_states = states.bfloat16()
        logits = self.rounded @ rounded_states.T
        grouped = logits.unflatten(0, (-1, group_size(len(logits))))
        highest = grouped.amax(1)
        limit = self._limit(states, rounded_states, highest.amax(0))
        group, row = (highest >= limit).nonzero(as_tuple=True)
        known = torch.isfinite(limit)
        if len(row) > _CANDIDATES * len(states):
            return torch.zeros(len(states), dtype=torch.long), torch.zeros_like(known)
        place, within = (grouped[group, :, row] >= limit[row, None]).nonzero(as_tuple=True)
        row, word = row[place], group[place] * grouped.shape[1] + within
        weight = self.head.module.weight
        exact = self.head.finished((states[row].double() * weight[word].double()).sum(-1).float())
        top = torch.full((len(states),), -torch.inf).scatter_reduce(0, row, exact, "amax")
        first = torch.full((len(states),), len(logits))
        won = exact == top[row]
        first = first.scatter_reduce(0, row[won], word[won], "amin")
        return first, known & torch.isfinite(top) & (first < len(logits))

    def _limit(self, states: Tensor, rounded: Tensor, best: Tensor) -> Tensor:
        """Return below which rounded logit no word can be chosen, per state."""
        # In float64, so that the bounds themselves need no bound.
        exact, near = states.double(), rounded.double()
        width, norm = states.shape[1], self.norm
        length = torch.linalg.vector_norm(exact, dim=1)
        length_near = torch.linalg.vector_norm(near, dim=1)
        apart = torch.linalg.vector_norm(exact - near, dim=1)
        tiny = math.sqrt(width) * _TINY
        products = (apart + tiny) * norm + (length_near + tiny) * (_HALF * norm + tiny)
        # Sums in float32, of rounded numbers here and of the numbers themselves in the model's own head.
        sums = width * 2.0**-23 * norm * (length + length_near)
        top = best.double()
        # The best logit and the others are rounded to bfloat16; twice that, so that no later rounding makes them equal.
        limit = top - 2 * _HALF * top.abs() - 2.01 * (products + sums)
        limit = limit - 4 * _HALF * limit.abs()
        return torch.where(length < torch.inf, limit, torch.nan).float()


def group_size(words: int) -> int:
    """Return how many words are looked at together: the largest power of two, at most 256, that divides them."""
    return math.gcd(words, 256)


class BestTokens:
    """The most probable token after states, call after call, while the weights stay as they are.

    On CPUs that multiply bfloat16 a float32 head is read in float32 for the first few calls and then through a
    `Screen`: a copy of half its size, for less than half of the time per call. Elsewhere this is `OutputHead.best`.

    Attributes:
        size: Bytes of the copy that is made once it pays; 0 if there will be none.
    """

    def __init__(self, head: OutputHead, memory: int) -> None:
        """Prepare nothing yet.

        Args:
            head: The output head.
            memory: Bytes that a copy may take.
        """
        self._head, self._calls = head, 0
        self._screen: Screen | None = None
        size = copy_size(head) or 0
        self.size = size if size <= memory else 0

    def __call__(self, states: Tensor) -> Tensor:
        """Return the most probable token `[n]` after each of the hidden states `[n, d_model]`."""
        self._calls += -(-len(states) // ROWS)
        if self.size and self._screen is None and self._calls > _AFTER:
            self._screen = Screen.of(self._head)
        if self._screen is None or states.dtype != torch.float32:
            return self._head.best(states)
        return torch.cat([self._screened(self._screen, part) for part in states.split(ROWS)])

    def _screened(self, screen: Screen, states: Tensor) -> Tensor:
        found, known = screen.best(states)
        if not bool(known.all()):
            found[~known] = self._head.best(states[~known])
        return found


def copy_size(head: OutputHead) -> int | None:
    """Return the bytes of the copy that a `Screen` of a head takes, or None if there is no use for one."""
    weight = head.plain_weight
    if weight is None or weight.dtype != torch.float32 or weight.device.type != "cpu" or not has_native_bfloat16():
        return None
    # A bias or a cap on the logits would need bounds of their own; a factor may make tiny differences equal, not these.
    plain = head.module.bias is None and all(
        name in ("multiply", "divide") and 1e-3 <= value <= 1e3 for name, value in head.finishes
    )
    large = weight.nbytes >= _LEAST_BYTES and group_size(len(weight)) >= _LEAST_GROUP
    return weight.nbytes // 2 if plain and large and head.dtype == torch.float32 else None
