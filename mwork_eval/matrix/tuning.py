"""Choose the stage boundaries: the grid of both numbers of layers, and the pair with the highest ∆."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.deltas import Delta, DeltaCalculator
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore

# Shares of the layers; a quarter and an eighth, the boundaries without tuning, are among them.
_UNDERSTANDING = (1 / 16, 1 / 8, 1 / 4, 3 / 8)
_GENERATION = (1 / 32, 1 / 16, 1 / 8, 3 / 16)

# Sums of equal scores may differ in digits beyond these.
_DIGITS = 9

Boundaries = tuple[int, int]
"""Number of understanding and of generation layers."""


@dataclass(frozen=True)
class GridPoint:
    """A pair of boundaries and what it deactivates.

    Attributes:
        stages: The stages.
        available: Number of the language's neurons at the positions under these stages.
        neurons: Those that are deactivated, as many at every point; None if there are none.
        layers: Number of layers that the positions cover.
    """

    stages: Stages
    available: int
    neurons: NeuronSet | None
    layers: int

    @property
    def boundaries(self) -> Boundaries:
        """Number of understanding and of generation layers."""
        return self.stages.understanding, self.stages.generation


@dataclass(frozen=True)
class Tuning:
    """The ∆ of every grid point, and the best.

    Attributes:
        task: The benchmark, such as `xquad`.
        language: The language whose neurons were deactivated.
        positions: Where they were deactivated.
        documents: Number of first documents that were scored.
        metric: Name of the metric.
        scale: Its unit.
        baseline: Per language, the score without a mask.
        grid: The points.
        deltas: Per point that deactivates something, what it does.
        best: The boundaries with the highest ∆; equal ones go to the fewest layers masked.
        pivot: The language it was compared with.
        tasks: The lm-eval tasks.
    """

    task: str
    language: str
    positions: tuple[str, ...]
    documents: int
    items: frozenset[str]
    metric: str
    scale: Scale
    baseline: Mapping[str, float]
    grid: Sequence[GridPoint]
    deltas: Mapping[Boundaries, Delta]
    best: Boundaries
    pivot: str = ENGLISH
    tasks: tuple[str, ...] = ()

    @property
    def stages(self) -> Stages:
        """The chosen stages."""
        return next(point.stages for point in self.grid if point.boundaries == self.best)

    @property
    def count(self) -> int:
        """Number of neurons deactivated at every point that has any."""
        return next(len(point.neurons) for point in self.grid if point.neurons is not None)

    @property
    def others(self) -> int:
        """Number of points beside the best that have a ∆."""
        return len(self.deltas) - 1

    @property
    def within(self) -> int:
        """Number of those whose ∆ lies in the best's interval: the documents hardly tell them from the best."""
        low = self.deltas[self.best].delta.low
        values = [found.delta.value for boundaries, found in self.deltas.items() if boundaries != self.best]
        # A single document has no interval and tells nothing apart.
        return sum(low is None or round(low, _DIGITS) <= round(value, _DIGITS) for value in values)

    @property
    def tuned_on(self) -> dict[str, Any]:
        """What a neuron set stores beside the boundaries."""
        return {
            "task": self.task,
            "language": self.language,
            "documents": self.documents,
            "items": sorted(self.items),
            "positions": "+".join(self.positions),
            "delta": self.deltas[self.best].delta.value,
            **({} if self.pivot == ENGLISH else {"pivot": self.pivot}),
            **({"tasks": list(self.tasks)} if self.tasks else {}),
        }


def default_grid(layers: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the numbers of understanding and of generation layers to try in a model, up to four each."""
    understanding = {max(1, round(layers * share)) for share in _UNDERSTANDING}
    generation = {max(1, round(layers * share)) for share in _GENERATION}
    return tuple(sorted(understanding)), tuple(sorted(generation))


def plan_grid(
    neurons: NeuronSet, positions: Sequence[str], understanding: Sequence[int], generation: Sequence[int]
) -> list[GridPoint]:
    """Return every pair of boundaries with the neurons it deactivates: as many at every point.

    The number is the smallest that any point has at the positions, points without a neuron left aside; the others
    keep their highest scores.

    Args:
        neurons: The language's set.
        positions: The positions, such as `under` and `gen`.
        understanding: Numbers of understanding layers.
        generation: Numbers of generation layers.

    Raises:
        InputError: If a pair does not fit the model, or no pair has a neuron at the positions.
    """
    grid = [Stages(neurons.shape.layers, first, last) for first in understanding for last in generation]
    found = [neurons.at(stages, positions) for stages in grid]
    sizes = [len(at) for at in found if len(at) > 0]
    if not sizes:
        raise InputError(
            f"no neuron at {'+'.join(positions)} under any boundaries of the grid",
            found=f"{len(neurons)} neurons, by layer {neurons.by_layer()}",
            hint="select more neurons, or try more layers",
        )
    return [
        GridPoint(stages, len(at), at.strongest(min(sizes)) if len(at) > 0 else None, _covered(stages, positions))
        for stages, at in zip(grid, found, strict=True)
    ]


def judge_grid(
    grid: Sequence[GridPoint],
    baseline: Mapping[str, TaskScore],
    masked: Mapping[Boundaries, Mapping[str, TaskScore]],
    *,
    task: str,
    positions: Sequence[str],
    items: Iterable[str] = (),
    tasks: Iterable[str] = (),
    pivot: str = ENGLISH,
) -> Tuning:
    """Compute every ∆ and choose the best boundaries.

    Args:
        grid: The points.
        baseline: Score without a mask, by language: the pivot and one other.
        masked: The same under the mask of each point that has one.
        task: The benchmark.
        positions: Where neurons were deactivated.
        items: What the documents are, as `item_keys` names them.
        tasks: The lm-eval tasks.
        pivot: The language that the other is compared with.
    """
    (language,) = set(baseline) - {pivot}
    calculator = DeltaCalculator(baseline, pivot)
    deltas = {
        boundaries: calculator.delta({language: [(scores[language], scores[pivot])]})
        for boundaries, scores in masked.items()
    }

    def rank(point: GridPoint) -> tuple[float, int, int]:
        return -round(deltas[point.boundaries].delta.value, _DIGITS), point.layers, point.stages.understanding

    best = min((point for point in grid if point.boundaries in deltas), key=rank)
    return Tuning(
        task=task,
        language=language,
        positions=tuple(positions),
        documents=max(len(score.documents) for score in baseline.values()),
        items=frozenset(items),
        metric=calculator.metric,
        scale=calculator.scale,
        baseline=calculator.baseline,
        grid=grid,
        deltas=deltas,
        best=best.boundaries,
        pivot=pivot,
        tasks=tuple(tasks),
    )


def _covered(stages: Stages, positions: Sequence[str]) -> int:
    """Return the number of layers in which the attention or the feed-forward is at one of the positions."""
    return sum(
        any(stages.position(layer, structure) in positions for structure in ("q", "up"))
        for layer in range(stages.layers)
    )
