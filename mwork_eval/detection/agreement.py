"""How near scores are to what zeroing does, and how near they must be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import Array
from mwork_eval.neurons.structures import STRUCTURES

REPORT = "please report the model, its config.json and what `inspect` prints with `verify=True`"


@dataclass(frozen=True)
class AgreementLimits:
    """How near is near enough.

    Attributes:
        spearman: Least rank correlation of all neurons of a structure.
        median: Largest median of relative errors, over all layers and in each of them.
        largest: Largest relative error of any neuron.
    """

    spearman: float
    median: tuple[float, float]
    largest: float


_WEIGHTS = AgreementLimits(0.99, (0.05, 0.1), float("inf"))
"""q and k: their scores are series to the second order, recomputed where the third matters; short texts altogether.

In Gemma 3 270M the median error of 64 tokens is 0.015, that of a layer up to 0.03 and that of a neuron up to 0.2. What
is read wrongly gives medians near 1.
"""
_OUTPUTS = AgreementLimits(0.99, (1e-4, 1e-4), 1e-4)
"""The other structures: their scores are closed forms, exact but for the rounding of float32."""
_HALF_WEIGHTS = AgreementLimits(0.98, (0.1, 0.2), float("inf"))
_HALF_OUTPUTS = AgreementLimits(0.98, (0.05, 0.1), float("inf"))
"""In bfloat16 and float16 what scores are made of is rounded to 8 or 11 bits, and blocks are run again in float32.

In small random models of 18 architectures, of 24 tokens, the median error of a structure was up to 0.014 (q and k) and
0.021 (the others; the largest with experts), that of a single neuron up to 0.13 and 0.11; and a router may send a token
elsewhere: so a single neuron tells nothing. What is read wrongly gives medians near 1.
"""

_MOST_BESIDE = 0.5
"""Median share of a row's effect that it may have where its column of down is zero: none, but for what norms do."""


@dataclass(frozen=True)
class NeuronComparison:
    """Neurons of one structure of one layer that were zeroed one by one.

    Attributes:
        layer: The layer.
        structure: The structure.
        neurons: Their indices.
        scores: Their scores `[n]`.
        changes: What zeroing them changed, squared `[n]`.
        rounding: How large a change rounding alone may make.
        unseen: Why nothing was measured, or nothing.
        beside: Of gate and up, what zeroing a row changes where the column of down is zero already, as a share of what
            it changes alone.
    """

    layer: int
    structure: str
    neurons: tuple[int, ...]
    scores: tuple[float, ...]
    changes: tuple[float, ...]
    rounding: float
    unseen: str = ""
    beside: tuple[float, ...] = ()

    @property
    def other_switch(self) -> bool:
        """Whether rows are those of the neurons, and zero ones are another switch than the scored one.

        One score is for gate, up and down: that of the column of down. Where a number is added to what up gives, or a
        norm follows, zeros in a row are something else; masks then take the column.
        """
        apart = bool(self.errors.max() > _OUTPUTS.largest) if len(self.scores) else False
        return apart and bool(self.beside) and float(np.median(self.beside)) <= _MOST_BESIDE

    @property
    def errors(self) -> Array:
        """What scores and changes differ by beyond rounding, as shares of the changes `[n]`."""
        scores, changes = np.array(self.scores), np.array(self.changes)
        beyond: Array = np.maximum(np.abs(scores - changes) - self.rounding, 0)
        return beyond / (changes + self.rounding + np.finfo(float).tiny)


@dataclass(frozen=True)
class VerifiedStructure:
    """A row of the table.

    Attributes:
        structure: The structure.
        layers: In how many layers it was looked at.
        neurons: How many neurons were zeroed.
        spearman: Rank correlation of scores and changes over all of them; 1 if they are all the same.
        median: Median of the relative errors.
        largest: Largest of them.
        limits: How near is near enough.
        agrees: Whether all layers are.
        other_switch: Whether the rows are right, and zero ones are another switch than the scored one.
    """

    structure: str
    layers: int
    neurons: int
    spearman: float
    median: float
    largest: float
    limits: AgreementLimits
    agrees: bool
    other_switch: bool


@dataclass(frozen=True, repr=False)
class Verification:
    """What zeroing neurons showed.

    Attributes:
        comparisons: By layer and structure.
        dtype: That of the weights, in which the scores were made.
        tokens: Number of tokens of the text.
    """

    comparisons: tuple[NeuronComparison, ...]
    dtype: str
    tokens: int

    @property
    def layers(self) -> list[int]:
        """The layers that were looked at."""
        return sorted({one.layer for one in self.comparisons})

    @property
    def rows(self) -> list[VerifiedStructure]:
        """A row for each structure that the model has."""
        return [
            self._row(structure, own)
            for structure in STRUCTURES
            if (own := [one for one in self.comparisons if one.structure == structure])
        ]

    @property
    def mismatches(self) -> list[NeuronComparison]:
        """What does not agree, the farthest off first."""
        wrong: list[NeuronComparison] = []
        for structure in STRUCTURES:
            own = [one for one in self.comparisons if one.structure == structure]
            limits = limits_of(structure, self.dtype)
            own = [one for one in own if not one.other_switch]
            off = [one for one in own if one.unseen or not _is_near(one, limits)]
            if own and not off and _spearman_of(own) < limits.spearman:
                off = [min(own, key=lambda one: _spearman_of([one]))]
            if own and not off and _median_of(own) > limits.median[0]:
                off = [max(own, key=lambda one: _median_of([one]))]
            wrong += off
        return sorted(wrong, key=lambda one: -np.inf if one.unseen else -_median_of([one]))

    @property
    def agrees(self) -> bool:
        """Whether everything does."""
        return not self.mismatches

    def check(self, name: str) -> None:
        """Check that all agrees.

        Args:
            name: What the model is called.

        Raises:
            InputError: If something does not; names the layer and structure that are farthest off, and the others.
        """
        if not (wrong := self.mismatches):
            return
        worst, limits = wrong[0], limits_of(wrong[0].structure, self.dtype)
        others = ", ".join(f"layer {one.layer} {one.structure}" for one in wrong[1:12])
        what = f"{name} is not read as it is: layer {worst.layer}, structure {worst.structure}"
        if worst.unseen:
            raise InputError(f"{what}{_also(others)}", found=worst.unseen, hint=REPORT)
        raise InputError(
            f"{what}: zeroing neurons changes something else than their scores say{_also(others)}",
            found=f"Spearman {_spearman_of([worst]):.3f}, median error {_median_of([worst]):.2g}, "
            f"largest {worst.errors.max():.2g}",
            expected=f"Spearman {limits.spearman} or more, median error {limits.median[1]:g} or less"
            + ("" if np.isinf(limits.largest) else f", largest {limits.largest:g} or less"),
            hint=REPORT,
        )

    def _row(self, structure: str, own: Sequence[NeuronComparison]) -> VerifiedStructure:
        seen = [one for one in own if not one.unseen]
        errors = np.concatenate([one.errors for one in seen]) if seen else np.array([np.nan])
        limits = limits_of(structure, self.dtype)
        return VerifiedStructure(
            structure,
            len(own),
            sum(len(one.neurons) for one in own),
            _spearman_of(seen),
            float(np.median(errors)),
            float(errors.max()),
            limits,
            not any(one.structure == structure for one in self.mismatches),
            any(one.other_switch for one in own),
        )

    def __repr__(self) -> str:
        wrong = ", ".join(f"layer {one.layer} {one.structure}" for one in self.mismatches)
        said = f"not as read: {wrong}" if wrong else "scores agree with zeroing"
        return f"<Verification: {sum(len(one.neurons) for one in self.comparisons)} neurons, {said}>"


def limits_of(structure: str, dtype: str) -> AgreementLimits:
    """Return how near the scores of a structure must be, made in a dtype."""
    if dtype in ("float32", "float64"):
        return _WEIGHTS if structure in ("q", "k") else _OUTPUTS
    return _HALF_WEIGHTS if structure in ("q", "k") else _HALF_OUTPUTS


def _is_near(one: NeuronComparison, limits: AgreementLimits) -> bool:
    return _median_of([one]) <= limits.median[1] and bool(one.errors.max() <= limits.largest)


def _median_of(comparisons: Sequence[NeuronComparison]) -> float:
    return float(np.median(np.concatenate([one.errors for one in comparisons])))


def _also(others: str) -> str:
    return f" (also {others})" if others else ""


def _spearman_of(comparisons: Sequence[NeuronComparison]) -> float:
    """Return the rank correlation of scores and changes; 1 where all are the same."""
    scores = np.concatenate([np.array(one.scores) for one in comparisons] or [np.zeros(0)])
    changes = np.concatenate([np.array(one.changes) for one in comparisons] or [np.zeros(0)])
    if len(scores) < 2 or (np.ptp(scores) == 0 and np.ptp(changes) == 0):
        return 1.0
    if np.ptp(scores) == 0 or np.ptp(changes) == 0:
        return 0.0
    return float(np.corrcoef(_ranks(scores), _ranks(changes))[0, 1])


def _ranks(values: Array) -> Array:
    """Return ranks; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Array = (2 * ends - counts - 1) / 2
    return shared[inverse]
