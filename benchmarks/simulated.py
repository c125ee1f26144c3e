"""Simulated scores whose truth is known: documents in clusters, shared between languages or not, under random sets.

What a document is worth is latent: an effect of its cluster, one of its item and one of its own. Parallel languages
share clusters and items. A set shifts every document by an effect of its own and interacts with clusters, items and
documents; the same set interacts with an item alike in every language. The latent value becomes an answer
right or wrong, a share like F1 with its heaps at 0 and 1, or bits per byte of documents whose lengths are log-normal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.deltas import DeltaCalculator, Masked
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Array

LANGUAGES = ("zh", "de")
KINDS = ("binary", "f1", "bpb")
_METRICS = {"binary": "acc,none", "f1": "f1,none", "bpb": "bits_per_byte,none"}
_POPULATION = 30_000


@dataclass(frozen=True)
class World:
    """How scores come about.

    Attributes:
        kind: `binary`, `f1` or `bpb`.
        documents: Documents of each language.
        questions: The most documents of a cluster; the fewest is 1.
        parallel: Whether the languages have the same items.
        moves: How far sets shift documents, one by one: the standard deviation of interactions.
    """

    kind: str
    documents: int
    questions: int = 1
    parallel: bool = True
    moves: float = 0.6


@dataclass(frozen=True)
class Sample:
    """Documents drawn from a world.

    Attributes:
        baseline: Per language, the score without a mask.
        masked: Per set, the scores under its masks, one run each.
    """

    baseline: Mapping[str, TaskScore]
    masked: Sequence[Masked]


def draw(
    world: World, shifts: Sequence[Mapping[str, float]], generator: np.random.Generator, own: float | None = None
) -> Sample:
    """Draw documents and score them without a mask and under sets.

    Args:
        world: The world.
        shifts: Per set, by how much it shifts the documents of each language; negative is damage.
        generator: Where chance comes from.
        own: Interactions of the first set, if they are not the world's.
    """
    documents = _Documents(world, generator)
    baseline = {language: documents.score(language, 0.0) for language in (ENGLISH, *LANGUAGES)}
    masked = []
    for number, by_language in enumerate(shifts):
        moves = own if own is not None and number == 0 else world.moves
        runs = {}
        for language in LANGUAGES:
            shared = documents.interaction()
            mine, english = (
                documents.score(code, by_language[code] + documents.moved(code, shared, moves))
                for code in (language, ENGLISH)
            )
            runs[language] = [(mine, english)]
        masked.append(runs)
    return Sample(baseline, masked)


@cache
def truth(kind: str, moves: float, shift: float) -> tuple[float, float]:
    """Return ∆n-Eng and ∆ of `fixed_set(shift)` in a population, whose clusters and languages do not matter."""
    sample = draw(World(kind, _POPULATION, moves=moves), [fixed_set(shift)], np.random.default_rng(0))
    found = DeltaCalculator(sample.baseline).delta(sample.masked[0])
    return found.delta_non_eng.value, found.delta.value


def together(runs: Sequence[Masked]) -> Masked:
    """Return the draws of a random control as the runs of one setting."""
    return {language: [pair for run in runs for pair in run[language]] for language in LANGUAGES}


class _Documents:
    """The documents of all languages."""

    def __init__(self, world: World, generator: np.random.Generator) -> None:
        self._world, self._generator = world, generator
        groups = [self._clusters() for _ in (ENGLISH, *LANGUAGES)]
        if world.parallel:
            groups = groups[:1] * len(groups)
        clusters = dict(zip((ENGLISH, *LANGUAGES), groups, strict=True))
        self._clusters_of = clusters
        self._keys = {
            code: tuple(f"{'' if world.parallel else code}{number}" for number in own) for code, own in clusters.items()
        }
        latent, length = self.interaction(), self.interaction()
        self._latent = {code: self.moved(code, latent, 1.0) for code in clusters}
        self._lengths = {code: np.exp(5 + 0.8 * self.moved(code, length, 1.0)) for code in clusters}

    def interaction(self) -> tuple[Array, Array]:
        """Return effects on clusters and items that parallel languages share."""
        size = self._world.documents
        return self._generator.normal(size=size), self._generator.normal(size=size)

    def moved(self, code: str, shared: tuple[Array, Array], scale: float) -> Array:
        """Return what is added to each document: a part by cluster, one by item, one of the document alone."""
        clusters, items = shared if self._world.parallel else self.interaction()
        alone = self._generator.normal(size=self._world.documents)
        moved: Array = scale * (0.6 * clusters[self._clusters_of[code]] + 0.6 * items + 0.53 * alone)
        return moved

    def score(self, code: str, shift: Array | float) -> TaskScore:
        value = self._latent[code] + shift
        ones = np.ones_like(value)
        if self._world.kind == "binary":
            pairs = ((value > -0.3).astype(float), ones)
        elif self._world.kind == "f1":
            share = 1 / (1 + np.exp(-2 * value))
            pairs = (np.where(share > 0.85, 1.0, np.where(share < 0.15, 0.0, share)), ones)
        else:
            lengths = self._lengths[code]
            pairs = (lengths * np.exp(-0.2 * value), lengths)
        numbers = tuple(zip(*(part.tolist() for part in pairs), strict=True))
        return TaskScore(_METRICS[self._world.kind], self._world.kind != "bpb", numbers, {}, code, self._keys[code])

    def _clusters(self) -> np.ndarray:
        """Return the number of the cluster of each document: 1 to `questions` documents each."""
        count, most = self._world.documents, self._world.questions
        sizes = self._generator.integers(1, most + 1, count)
        clusters: np.ndarray = np.repeat(np.arange(count), sizes)[:count]
        return clusters


def fixed_set(shift: float) -> dict[str, float]:
    """Return a set that shifts the mask languages, and English a third as much."""
    return {ENGLISH: shift / 3} | dict.fromkeys(LANGUAGES, shift)


def random_sets(count: int, spread: float, generator: np.random.Generator) -> list[dict[str, float]]:
    """Return sets whose shifts of the mask languages vary with a standard deviation; without one they do nothing."""
    return [dict(zip(LANGUAGES, row, strict=True)) | {ENGLISH: 0.0} for row in generator.normal(0, spread, (count, 2))]
