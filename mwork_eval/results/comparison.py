"""Whether a setting does more than its random control: a test over documents and random draws."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.deltas import Masked, MaskEffect
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.draws import DrawTest, against_draws
from mwork_eval.statistics.power import smallest_found
from mwork_eval.statistics.resampling import LEVEL, holm

SIGNIFICANT = 0.05
"""Below this, a corrected p-value counts as a difference from the random control."""


@dataclass(frozen=True)
class Comparison:
    """A language-specific setting against its random control.

    Attributes:
        control: Name of the control; None if the table has none.
        difference: ∆ of the setting - ∆ of the control (mean over its draws); None if cells are missing.
        standard_error: Of the difference, over documents and draws, if the setting's set is one more draw; None
            without a p-value.
        degrees: Degrees of freedom of the standard error; likewise.
        draws: Number of random draws of the control; None if cells are missing.
        detectable: The smallest true difference that the corrected test finds in 80 % of cases, if this row's p is the
            smallest of the table; None if that cannot be told.
        p: Two-sided p-value of the difference.
        p_holm: The same, corrected for the number of settings of the table (Holm).
        reason: Why there is no p-value; None if there is one.
    """

    control: str | None
    difference: float | None = None
    standard_error: float | None = None
    degrees: float | None = None
    draws: int | None = None
    detectable: float | None = None
    p: float | None = None
    p_holm: float | None = None
    reason: str | None = None


def find_control(positions: tuple[str, ...], controls: Mapping[tuple[str, ...], str]) -> str | None:
    """Return the random control of a setting: the one at its positions, else the one at all positions, else None.

    Args:
        positions: Positions of the setting.
        controls: Names of the random settings by their positions.
    """
    return controls.get(positions) or controls.get(POSITIONS)


def compare_settings(
    controls: Mapping[str, str | None],
    baseline: Mapping[str, TaskScore],
    masked: Mapping[str, Masked],
    scale: Scale,
    pivot: str = ENGLISH,
) -> dict[str, Comparison]:
    """Test every language-specific setting of a table against its random control.

    Under the null hypothesis the setting's set is one more random draw; `against_draws` says how documents and draws
    both count. The r-th draws of all mask languages are one draw of ∆, the mean over languages: that is right whether
    draws of different languages are independent or share their neurons.

    Args:
        controls: By language-specific setting, the name of its control.
        baseline: Per language, the score without a mask; the pivot's among them.
        masked: By setting, random ones too, the scores under its masks; empty while some are missing.
        scale: Scale of the metric.
        pivot: The language that the others are compared with.
    """
    effects = {name: MaskEffect(baseline, runs, scale, pivot) for name, runs in masked.items() if runs}
    tests = {name: _test(name, control, effects) for name, control in controls.items()}
    found = {name: test for name, test in tests.items() if isinstance(test, DrawTest)}
    corrected = dict(zip(found, holm([test.p for test in found.values()]), strict=True))
    comparisons = {name: _untested(name, controls[name], effects, test) for name, test in tests.items()}
    for name, test in found.items():
        comparisons[name] = replace(
            comparisons[name],
            standard_error=float(np.sqrt(test.variance)),
            degrees=test.degrees,
            detectable=smallest_found(test, (1 - LEVEL) / len(found)),
            p=test.p,
            p_holm=corrected[name],
        )
    return comparisons


def _untested(name: str, control: str | None, effects: Mapping[str, MaskEffect], test: DrawTest | str) -> Comparison:
    reason = test if isinstance(test, str) else None
    if control is None or name not in effects or control not in effects:
        return Comparison(control, reason=reason)
    own, drawn = effects[name].deltas, effects[control].deltas
    return Comparison(control, difference=float(own.mean() - drawn.mean()), draws=len(drawn), reason=reason)


def _test(name: str, control: str | None, effects: Mapping[str, MaskEffect]) -> DrawTest | str:
    if control is None:
        return "the table has no random control for it"
    if name not in effects or control not in effects:
        return "cells are missing"
    own, drawn = effects[name], effects[control]
    moved = [mine.mean(0) - theirs.mean(0) for mine, theirs in zip(own.own_changes(), drawn.own_changes(), strict=True)]
    return against_draws(
        own.clustering(), [part.mean(0) for part in own.shares_of_delta()], drawn.shares_of_delta(), moved
    )
