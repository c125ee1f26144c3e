"""How a model was asked for a score, in words."""

from mwork_eval.results.prompting_record import shots_in_words
from mwork_eval.results.summaries.entries import Score


def asked_in_words(score: Score) -> str:
    """Return how a model was asked; empty if as the task file says, without examples."""
    return "; ".join([*score.prompting, *([shots_in_words(score.shots)] if score.shots else [])])
