"""Trained deltas and their scores, made by hand: what the reports on fine-tuning read, without any training."""

from mwork_eval.enhancement.record import TrainedDelta


def delta(kind, seed, documents=8, languages=("zh",)):
    return TrainedDelta(languages, kind, seed, documents, f"{kind}{seed}", f"d{kind}{seed}{documents}", 5, 9, 2.0, 1.0)


SPECIFIC, FIRST, SECOND = delta("specific", 0), delta("random", 1), delta("random", 2)


def scores_of(family, by_delta):
    """By delta and task, the scores that are given by delta in the order of the family's languages."""
    return {
        (of, family.task(language)): score
        for of, scores in by_delta.items()
        for language, score in zip(family.languages, scores, strict=True)
    }
