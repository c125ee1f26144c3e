"""Every language's mask on every language's documents: changes and specificity, with intervals. No model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mwork_eval.results.paired_scores import PairedScores
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.clustered import Clustering, estimate
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.statistics.spread import Spread

Crossed = Mapping[str, Mapping[str, Sequence[TaskScore]]]
"""Per mask language and language of documents, the scores under its masks: one per draw of a random control."""


@dataclass(frozen=True)
class Effects:
    """What the masks of all languages do to the documents of all languages.

    Attributes:
        changes: `[mask language][language of documents]`, in the baseline's order: masked - baseline, negative for
            damage; the mean over draws.
        specificity: Per mask language, the damage to itself - the mean damage to all others.
        mean_specificity: The mean over mask languages.
    """

    changes: Mapping[str, Mapping[str, Estimate]]
    specificity: Mapping[str, Estimate]
    mean_specificity: Estimate


@dataclass(frozen=True)
class ControlSpread:
    """How far single random controls differ, each of one mask language and draw.

    Attributes:
        changes: Per language of documents, the change under each control of whatever language.
        specificity: The specificity of each control.
        draws: Number of draws per mask language.
    """

    changes: Mapping[str, Spread]
    specificity: Spread
    draws: int


def cross_effects(baseline: Mapping[str, TaskScore], masked: Crossed, scale: Scale) -> Effects:
    """Compute all numbers of a square and their intervals over documents.

    Args:
        baseline: Per language of documents, the score without a mask.
        masked: The scores under the masks; each mask on the documents of every language.
        scale: Scale of the metric.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    pairs = {
        mask: {language: PairedScores(baseline[language], of_mask[language], language) for language in baseline}
        for mask, of_mask in masked.items()
    }
    weights = {mask: _specificity_weights(mask, list(baseline)) for mask in masked}
    return Effects(
        {
            mask: {language: _weighted([[(1.0, pair)]], scale) for language, pair in of_mask.items()}
            for mask, of_mask in pairs.items()
        },
        {
            mask: _weighted([[(weights[mask][language], pair)] for language, pair in of_mask.items()], scale)
            for mask, of_mask in pairs.items()
        },
        _weighted(
            [
                [(weights[mask][language] / len(pairs), pairs[mask][language]) for mask in pairs]
                for language in baseline
            ],
            scale,
        ),
    )


def control_spread(baseline: Mapping[str, TaskScore], masked: Crossed, scale: Scale) -> ControlSpread:
    """Compare the single random controls of all mask languages.

    Args:
        baseline: Per language of documents, the score without a mask.
        masked: The scores under the controls.
        scale: Scale of the metric.
    """
    changes = {
        (mask, language): [scale.signed(score.score - baseline[language].score) for score in of_mask[language]]
        for mask, of_mask in masked.items()
        for language in baseline
    }
    draws = min(map(len, changes.values()))
    weights = {mask: _specificity_weights(mask, list(baseline)) for mask in masked}
    specificity = [
        sum(weights[mask][at] * changes[mask, at][draw] for at in baseline) for mask in masked for draw in range(draws)
    ]
    return ControlSpread(
        {
            language: Spread.of([change for place, of in changes.items() if place[1] == language for change in of])
            for language in baseline
        },
        Spread.of(specificity),
        draws,
    )


def _specificity_weights(mask: str, languages: Sequence[str]) -> dict[str, float]:
    """Return the weights of changes that make a specificity: mean of the others - own, as damage is negative."""
    return {language: -1.0 if language == mask else 1 / (len(languages) - 1) for language in languages}


def _weighted(parts: Sequence[Sequence[tuple[float, PairedScores]]], scale: Scale) -> Estimate:
    """Return a weighted sum of changes, each the mean over its draws, with its interval.

    Args:
        parts: Per language of documents, the changes of its score under one mask or more, with their weights.
        scale: Scale of the metric.
    """
    firsts = [of_language[0][1] for of_language in parts]
    return estimate(
        scale.signed(float(sum(weight * pair.changes.mean() for part in parts for weight, pair in part))),
        Clustering([pair.shares for pair in firsts], [pair.keys for pair in firsts]),
        [scale.signed(np.sum([weight * pair.contributions.mean(0) for weight, pair in part], 0)) for part in parts],
        [scale.signed(np.sum([weight * pair.own_changes.mean(0) for weight, pair in part], 0)) for part in parts],
    )
