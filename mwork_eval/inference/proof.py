"""The fast forward pass of a model, once it has shown that its logits are the model's."""

from typing import Any

import torch

from mwork_eval.inference.forward import Forward
from mwork_eval.models.find_head import find_head
from mwork_eval.models.head import OutputHead
from mwork_eval.models.placement import computing_device


def proven_forward(
    model: Any, *, tokens: int, longest: int, dtype: torch.dtype = torch.float32, autocast: torch.dtype | None = None
) -> Forward | str:
    """Return the fast forward pass if it is right for a model, else why not.

    Args:
        model: The model, in evaluation mode.
        tokens: Tokens that may go through it at a time where keys and values are kept.
        longest: Tokens of the longest row there may be.
        dtype: Type in which probabilities are computed.
        autocast: Type of automatic mixed precision, if any.
    """
    if model.get_output_embeddings() is None:
        return "the lack of output embeddings"
    heads = list(OutputHead.candidates(model, dtype))
    # The forward pass proves one head along with the rest.
    head = heads[0] if len(heads) == 1 else find_head(model, dtype)
    if head is None:
        return "logits that are made otherwise than by output embeddings"
    found = Forward(model, head, computing_device(model.get_input_embeddings()), tokens, autocast)
    return found if found.agrees(longest) else found.obstacle
