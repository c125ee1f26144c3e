"""Find what a model does between the states of its decoder and its logits, proven by the model's own logits."""

from typing import Any

import torch

from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import base_of, decoder_of
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.models.placement import computing_device

Tensor = torch.Tensor

_PROBE = tuple(range(3, 11))
"""Token ids that every vocabulary has."""


def logit_tolerance(dtype: torch.dtype) -> float:
    """Return how far apart two ways to the same logits may be, as a share of their standard deviation.

    Far above the rounding of the type, far below any other formula.
    """
    return 0.01 if dtype in (torch.float32, torch.float64) else 0.05


def find_head(model: Any, dtype: torch.dtype = torch.float32) -> OutputHead | None:
    """Return the output head of a causal language model, or None if it has none that can be used apart from it.

    The configuration says what is done to the result of the output embeddings. Whether that is all, a few tokens tell:
    their logits must be those of the model itself, which is called once.

    Args:
        model: The model, its weights in memory or brought there by accelerate.
        dtype: Type in which probabilities are computed.
    """
    base = base_of(model)
    candidates = list(OutputHead.candidates(base, dtype))
    if not candidates:
        return None
    decoder, _ = decoder_of(base)
    ids = torch.tensor([_PROBE], device=computing_device(base.get_input_embeddings()))
    with torch.no_grad(), evaluation_mode(base):
        own: Tensor = base(input_ids=ids, use_cache=False).logits[0].float()
        states: Tensor = decoder(input_ids=ids, use_cache=False).last_hidden_state[0]
        there = states.to(computing_device(candidates[0].module))
        found = [(_apart(head.logits(there).float(), own), head) for head in candidates]
    apart, best = min(found, key=lambda pair: pair[0])
    return best if apart <= logit_tolerance(states.dtype) * float(own.std()) else None


def _apart(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return torch.inf
    apart = float((one - other.to(one.device)).abs().max())
    return apart if apart == apart else torch.inf  # not a number: infinite logits
