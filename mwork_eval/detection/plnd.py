"""Score every neuron of a model on one document (PLND): the scores applied to the captured activations."""

import torch

from mwork_eval.detection import scores
from mwork_eval.detection.capture import Attention, run_document
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import Place

METHOD = "paper"
"""Q and K by the paper's formula, the other structures exactly (they agree with the paper)."""


class _Scorer:
    """Turns activations into scores while the forward pass runs, so that nothing of a layer is kept."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.found: dict[Place, torch.Tensor] = {}

    def attention(self, layer: int, seen: Attention) -> None:
        output = self._layout.weight(layer, "o")
        groups = seen.key.shape[0]
        self.found[layer, "q"], self.found[layer, "k"] = scores.query_key_scores(
            seen.query, seen.key, seen.mask, scale=seen.scale, softcap=seen.softcap
        )
        self.found[layer, "v"] = scores.value_scores(seen.heads, output, groups)
        self.found[layer, "o"] = scores.output_scores(seen.heads, output)

    def feed_forward(self, layer: int, hidden: torch.Tensor) -> None:
        found = scores.feed_forward_scores(hidden, self._layout.weight(layer, "down"))
        for structure in ("gate", "up", "down"):
            self.found[layer, structure] = found


def score_document(layout: Layout, token_ids: list[int]) -> dict[Place, torch.Tensor]:
    """Score all neurons of all layers on one document, in one forward pass of the body.

    Args:
        layout: The model.
        token_ids: The document's tokens.

    Returns:
        Per (layer, structure), float32 scores `[neurons]` on the CPU.
    """
    scorer = _Scorer(layout)
    run_document(layout, token_ids, scorer)
    return {place: found.cpu() for place, found in scorer.found.items()}
