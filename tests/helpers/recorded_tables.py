"""Tables with made-up records, as a pass over the corpora of several languages leaves them."""

import numpy as np

from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.neurons.shape import ModelShape

TOKENS = 40
SIZES = {"q": 6, "k": 2, "v": 2, "o": 6, "gate": 30, "up": 30, "down": 30}
LAYERS = 3
SHAPE = ModelShape("llama", (SIZES,) * LAYERS)
PLACES = [(layer, structure) for layer in range(LAYERS) for structure in ("q", "k", "v", "o", "up")]


def recorded(language: str, seed: int, documents: int = 7, tokens: int = TOKENS, **about) -> ScoreTable:
    """Return a table with every record; few distinct numbers, so that there are ties."""
    generator = np.random.default_rng(seed)

    def column(make):
        return {(layer, structure): make(SIZES[structure]) for layer, structure in PLACES}

    every = {(layer, structure): n for layer in range(LAYERS) for structure, n in SIZES.items()}
    scores = {place: generator.random(n, np.float32) for place, n in every.items()}
    ranks = {place: np.argsort(np.argsort(-found)).astype(np.int32) for place, found in scores.items()}
    values = {
        "minimum": scores,
        "mean": scores,
        "worst_rank": ranks,
        "over_zero": column(lambda n: generator.integers(0, 5, n).astype(np.int32) * (tokens // 4)),
        "activation_mean": column(lambda n: generator.integers(-3, 4, n).astype(np.float32)),
        "activation_square": column(lambda n: 9 + generator.random(n).astype(np.float32)),
        "responses": column(lambda n: generator.integers(-2, 3, (documents, n)).astype(np.float32)),
        "attribution": column(lambda n: generator.integers(0, 9, n).astype(np.float32)),
    }
    told = {"language": language, "fingerprint": "f", "method": "exact", "corpus": {"name": language}, "tokens": tokens}
    told |= {"documents": documents, "activation_tokens": tokens}
    told |= {"recorded": ["activations", "responses", "attributions"]}
    return ScoreTable(SHAPE, values, {**told, **about})
