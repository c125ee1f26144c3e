"""Method `tokens`: which language the best tokens of every layer are in, at every position of a query."""

from collections.abc import Callable, Sequence

import numpy as np

from mwork_eval.analysis.layer_states import Tensor, find_head, read_layers
from mwork_eval.analysis.shares import Curves, estimate_shares
from mwork_eval.analysis.token_language import CLASSES, TokenClassifier
from mwork_eval.models.final_norm import find_final_steps
from mwork_eval.models.layout import Layout

WEIGHTS = ("count", "probability")
"""How tokens count: each as one, or by its probability."""


def look_at_tokens(
    layout: Layout,
    classifier: TokenClassifier,
    queries: Sequence[Sequence[int]],
    *,
    language: str,
    masked: str | None,
    k: int,
    weight: str,
    advance: Callable[[int], None],
) -> Curves:
    """Decode every layer at all positions of some queries and tell the languages of the best tokens.

    As in Section 2 of the paper (arXiv:2402.18815), which decodes the hidden embeddings of all tokens of a query.

    Args:
        layout: The model, masked or not.
        classifier: Tells the language of tokens.
        queries: Token ids of each query.
        language: Their language.
        masked: What is deactivated, for the result.
        k: Tokens per position.
        weight: One of `WEIGHTS`.
        advance: Called with the number of queries just done.

    Raises:
        InputError: If the model has no output head, or its final norm is not where it should be.
    """
    head, steps = find_head(layout), find_final_steps(layout)

    def read(states: Tensor) -> tuple[list[float], list[float]]:
        tokens, log_probabilities = head.top(states, k)
        classes = classifier.classify(tokens.cpu().numpy()).ravel()
        weights = log_probabilities.exp().double().cpu().numpy().ravel()
        size = len(CLASSES)
        return np.bincount(classes, minlength=size).tolist(), np.bincount(classes, weights, minlength=size).tolist()

    found = []
    for query in queries:
        found.append(read_layers(layout, query, read, steps=steps))
        advance(1)
    both = np.array(found, dtype=float)  # [queries, layers, 2, classes]
    parts = both[:, :, WEIGHTS.index(weight)]
    shares = estimate_shares(parts, parts.sum(-1))
    return Curves(
        language,
        masked,
        classifier.classes,
        shares,
        parts.sum(0),
        both[:, :, 0].sum(0),
        len(queries),
        classifier.pivot,
    )
