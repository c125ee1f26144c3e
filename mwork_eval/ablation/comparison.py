"""Whether a setting does more than its random control: a permutation test over documents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.ablation.deltas import Masked
from mwork_eval.ablation.paired_scores import document_shares, weigh_alike
from mwork_eval.ablation.scale import Scale
from mwork_eval.ablation.statistics import PERMUTATIONS, Array, holm, permutation_p
from mwork_eval.neurons.stages import POSITIONS

SIGNIFICANT = 0.05
"""Below this, a corrected p-value counts as a difference from the random control."""


@dataclass(frozen=True)
class Comparison:
    """A language-specific setting against its random control.

    Attributes:
        control: Name of the control; None if the table has none.
        difference: ∆ of the setting - ∆ of the control (mean over its seeds); None without a p-value.
        p: Two-sided p-value of the difference.
        p_holm: The same, corrected for the number of settings of the table (Holm).
        reason: Why there is no p-value; None if there is one.
    """

    control: str | None
    difference: float | None = None
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
    controls: Mapping[str, str | None], masked: Mapping[str, Masked], scale: Scale, permutations: int = PERMUTATIONS
) -> dict[str, Comparison]:
    """Test every language-specific setting of a table against its random control.

    Under the null hypothesis a document does equally well under the setting and under its control (the mean over the
    control's seeds), so the two may swap; ∆ is a sum over documents, in which the baseline cancels. An English
    document swaps for all mask languages at once. The test is about these masks: how far another draw of random
    neurons would differ is told by the control's seeds.

    Args:
        controls: By language-specific setting, the name of its control.
        masked: By setting, random ones too, the scores under its masks; empty while some are missing.
        scale: Scale of the metric.
        permutations: Number of permutations, where there are more than that.
    """
    found = {name: _compare(masked[name], control, masked, scale, permutations) for name, control in controls.items()}
    tested = {name: comparison.p for name, comparison in found.items() if comparison.p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {name: replace(comparison, p_holm=corrected.get(name)) for name, comparison in found.items()}


def _compare(
    setting: Masked, control: str | None, masked: Mapping[str, Masked], scale: Scale, permutations: int
) -> Comparison:
    if control is None:
        return Comparison(None, reason="the table has no random control for it")
    if not setting or not masked[control]:
        return Comparison(control, reason="cells are missing")
    if not _same_weights(setting, masked[control]):
        return Comparison(control, reason=f"documents do not weigh the same as under {control}")
    differences = scale.signed(_contributions(setting) - _contributions(masked[control]))
    p = permutation_p(differences, permutations=permutations)
    return Comparison(control, difference=float(differences.sum()), p=p)


def _same_weights(first: Masked, second: Masked) -> bool:
    """Tell whether each document has one denominator under all masks; only then is ∆ a sum over documents."""
    languages = {language: [own for masked in (first, second) for own, _ in masked[language]] for language in first}
    english = [english for masked in (first, second) for runs in masked.values() for _, english in runs]
    return all(weigh_alike(scores) for scores in (english, *languages.values()))


def _contributions(masked: Masked) -> Array:
    """Return what each document adds to ∆, without its baseline: `[documents]`, English first, then each language."""
    english = document_shares([english for runs in masked.values() for _, english in runs])
    return np.concatenate(
        [english, *(-document_shares([own for own, _ in runs]) / len(masked) for runs in masked.values())]
    )
