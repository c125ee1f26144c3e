"""What a mask does to the score of its language and to the pivot, absolute and relative."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore


@dataclass(frozen=True)
class LanguageChange:
    """A score without and under a mask.

    Attributes:
        baseline: Score without a mask, scaled.
        masked: Score under the mask, scaled; the mean over seeds.
        difference: masked - baseline, signed so that negative means damage.
        relative: The difference in percent of the baseline; None if that is zero.
    """

    baseline: float
    masked: float
    difference: float
    relative: float | None


@dataclass(frozen=True)
class AnswerCounts:
    """The languages a model answered in.

    Attributes:
        judged: Number of answers whose language could be told, of all seeds together.
        wrong: Percentage of them in another language than the question's.
        english: Percentage of them in English.
    """

    judged: int
    wrong: float
    english: float


@dataclass(frozen=True)
class LanguageScore:
    """What the mask of one language does.

    Attributes:
        own: The score of the language itself.
        english: The score of the pivot, English unless another was chosen, under the language's mask.
        answers_before: The languages of the answers without a mask; None if they were not judged.
        answers: The languages of the answers under the mask; None if they were not judged.
    """

    own: LanguageChange
    english: LanguageChange
    answers_before: AnswerCounts | None
    answers: AnswerCounts | None


def language_score(
    baseline: TaskScore, pivot_baseline: TaskScore, runs: Sequence[tuple[TaskScore, TaskScore]], scale: Scale
) -> LanguageScore:
    """Compare the scores under a language's mask with those without it.

    Args:
        baseline: Score of the language without a mask.
        pivot_baseline: Score of the pivot without a mask.
        runs: Per seed, the score of the language and of the pivot under the mask.
        scale: Scale of the metric.
    """
    own = [mine for mine, _ in runs]
    return LanguageScore(
        own=_change(baseline, own, scale),
        english=_change(pivot_baseline, [pivot for _, pivot in runs], scale),
        answers_before=_answers([baseline]),
        answers=_answers(own),
    )


def _change(baseline: TaskScore, masked: Sequence[TaskScore], scale: Scale) -> LanguageChange:
    before, after = baseline.score, float(np.mean([score.score for score in masked]))
    difference = scale.signed(after - before)
    return LanguageChange(
        baseline=scale.factor * before,
        masked=scale.factor * after,
        difference=difference,
        relative=100 * difference / abs(scale.factor * before) if before else None,
    )


def _answers(scores: Sequence[TaskScore]) -> AnswerCounts | None:
    """Pool the seeds; a score whose answers were not judged counts for nothing."""
    judged = [score.metrics.get("judged_answers,none", 0.0) for score in scores]
    if not sum(judged):
        return None
    wrong, english = (
        100 * float(np.average([score.metrics.get(key, 0.0) for score in scores], weights=judged))
        for key in ("wrong_language,none", "english_answers,none")
    )
    return AnswerCounts(int(sum(judged)), wrong, english)
