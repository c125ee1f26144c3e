"""Tables of random scores, collected as PLND collects them, and streams of embedded documents to score."""

import numpy as np

from mwork_eval.detection import score_table
from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.recording import accumulator
from mwork_eval.detection.recording.scores import statistics_of
from mwork_eval.neurons.shape import ModelShape

SIZES = {"q": 6, "k": 2, "v": 2, "o": 6, "gate": 5, "up": 5, "down": 5}
SHAPE = ModelShape("llama", (SIZES, SIZES))


class ScoreAccumulator(accumulator.ScoreAccumulator):
    """Takes the scores themselves, per (layer, structure)."""

    def add(self, scores) -> None:
        super().add(statistics_of(scores))


def table(language: str = "zh", seed: int = 0, documents: int = 4, **about) -> score_table.ScoreTable:
    generator = np.random.default_rng(seed)
    collected = ScoreAccumulator(SHAPE)
    for _ in range(documents):
        collected.add({(layer, s): generator.random(n, np.float32) for layer in (0, 1) for s, n in SIZES.items()})
    told = {"language": language, "fingerprint": "f", "method": "paper", "corpus": {"name": "c"}, "tokens": 9}
    return collected.table({**told, **about})


def stream_of(tokenizer, language: str = "en", documents: int | None = 3, **rules) -> DocumentStream:
    return DocumentStream(Corpus(language, "embedded"), tokenizer, DocumentRules(documents, 24, **rules))
