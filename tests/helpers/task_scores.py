"""Scores of a task made by hand, document by document."""

from mwork_eval.results.task_score import TaskScore


def accuracy(*correct: int) -> TaskScore:
    return TaskScore("acc,none", True, tuple((float(c), 1.0) for c in correct), {"acc,none": 0.0})


def bits(*documents: tuple[float, float]) -> TaskScore:
    """Bits and bytes of each document."""
    return TaskScore("bits_per_byte,none", False, documents, {})
