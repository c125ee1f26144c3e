"""Scores of documents, collected as PLND collects them."""

from mwork_eval.detection import score_table
from mwork_eval.detection.plnd import DETECTOR, statistics_of
from mwork_eval.neurons.shape import ModelShape


class ScoreAccumulator(score_table.ScoreAccumulator):
    """Takes the scores themselves, per (layer, structure)."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(shape, DETECTOR)

    def add(self, scores) -> None:
        super().add(statistics_of(scores))
