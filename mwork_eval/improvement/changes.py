"""What deltas change in scores, and whether the language's neurons do more than random ones: arithmetic, no model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mwork_eval.ablation.paired_scores import PairedScores, document_shares, weigh_alike
from mwork_eval.ablation.plan import TaskFamily
from mwork_eval.ablation.scale import Scale
from mwork_eval.ablation.statistics import Array, Estimate, bootstrap, holm, permutation_p
from mwork_eval.enhancement.record import RANDOM, SPECIFIC, TrainedDelta
from mwork_eval.harness.task_score import TaskScore
from mwork_eval.improvement.cells import Scores
from mwork_eval.languages import ENGLISH

Runs = Mapping[str, Sequence[TaskScore]]
"""By language, the scores after training, one a seed."""


@dataclass(frozen=True)
class Gain:
    """What training one kind of neurons gained; negative is damage, also for bits per byte.

    Attributes:
        mean: The mean over seeds and languages, with its interval over documents.
        by_seed: The same of each seed.
    """

    mean: Estimate
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Effect:
    """What training on a number of documents did.

    Attributes:
        documents: The number.
        specific: By the language's neurons; None if they were not trained on so many.
        random: By random neurons; likewise.
        difference: specific - random, paired over documents; None without both.
        p: Two-sided p-value of the difference (permutation over documents); None if it cannot be told.
        p_holm: The same, corrected for the number of p-values of the table.
    """

    documents: int
    specific: Gain | None
    random: Gain | None
    difference: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Column:
    """A language, several averaged, or languages against another, before and after training.

    Attributes:
        languages: The languages.
        against: A language whose change is subtracted, or None.
        base: The mean score of the languages before, scaled; without that of the other.
        documents: Number of documents scored, of all together.
        effects: Per number of documents trained on, ascending.
    """

    languages: tuple[str, ...]
    against: str | None
    base: float
    documents: int
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class ChangeTable:
    """What the deltas of one language (or of several trained together) change in one benchmark.

    Attributes:
        trained: The languages trained on.
        task: The benchmark.
        metric: Its main metric.
        unit: Unit of the numbers.
        higher_is_better: Whether a higher score is better.
        neurons: Number of neurons trained, in each delta.
        missing: Languages asked for that the benchmark lacks.
        columns: The trained languages, English, the others, the mean of the others if there are several, and the
            trained languages against English: what they gained that English did not.
    """

    trained: tuple[str, ...]
    task: str
    metric: str
    unit: str
    higher_is_better: bool
    neurons: int
    missing: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of documents trained on."""
        return tuple(effect.documents for effect in self.columns[0].effects)

    @property
    def others(self) -> Column | None:
        """The mean of the other languages, or the only one; None if there is none."""
        found = [column for column in self.columns if not set(column.languages) & {ENGLISH, *self.trained}]
        return found[-1] if found else None


def change_tables(deltas: Sequence[TrainedDelta], families: Sequence[TaskFamily], scores: Scores) -> list[ChangeTable]:
    """Return a table per trained language (or group) and benchmark; a benchmark without the language has none.

    Args:
        deltas: The trained deltas.
        families: The benchmarks with their languages.
        scores: The scores; deltas whose scores are missing are left out.
    """
    groups = dict.fromkeys(delta.languages for delta in deltas)
    tables = []
    for group in groups:
        own = [delta for delta in deltas if delta.languages == group]
        for family in families:
            if all((None, family.task(language)) in scores for language in family.languages):
                trained = tuple(language for language in group if language in family.languages)
                if trained:
                    tables.append(_table(group, trained, own, family, scores))
    return tables


def _table(
    group: tuple[str, ...],
    trained: tuple[str, ...],
    deltas: Sequence[TrainedDelta],
    family: TaskFamily,
    scores: Scores,
) -> ChangeTable:
    base = {language: scores[None, family.task(language)] for language in family.languages}
    scale = Scale.of(base[trained[0]])
    others = tuple(language for language in family.languages if language not in (*trained, ENGLISH))
    english = (ENGLISH,) if ENGLISH not in trained else ()
    shown: list[tuple[tuple[str, ...], str | None]] = [((code,), None) for code in (*trained, *english, *others)]
    shown += [(others, None)] if len(others) > 1 else []
    shown += [(trained, code) for code in english]
    complete = [d for d in deltas if all((d, family.task(language)) in scores for language in family.languages)]

    def runs(kind: str, size: int, languages: Iterable[str]) -> Runs:
        chosen = [d for d in complete if (d.kind, d.documents) == (kind, size)]
        return {language: [scores[d, family.task(language)] for d in chosen] for language in languages if chosen}

    sizes = sorted({delta.documents for delta in complete})
    columns = []
    for languages, against in shown:
        weights = dict.fromkeys(languages, 1 / len(languages)) | ({against: -1.0} if against else {})
        effects = [
            _effect(size, weights, base, runs(SPECIFIC, size, weights), runs(RANDOM, size, weights), scale)
            for size in sizes
        ]
        before = scale.factor * float(np.mean([base[language].score for language in languages]))
        scored = sum(len(base[language].documents) for language in weights)
        columns.append(Column(languages, against, before, scored, tuple(effects)))
    return ChangeTable(
        group,
        family.name,
        base[trained[0]].metric,
        scale.unit,
        scale.higher_is_better,
        deltas[0].neurons,
        family.missing,
        _corrected(columns),
    )


def _effect(
    size: int,
    weights: Mapping[str, float],
    base: Mapping[str, TaskScore],
    specific: Runs,
    random: Runs,
    scale: Scale,
) -> Effect:
    """Compare the weighted sum of several languages' changes after both trainings."""
    kinds = [runs for runs in (specific, random) if runs]
    pairs = [[(weight, PairedScores(base[code], runs[code])) for code, weight in weights.items()] for runs in kinds]

    def changes(*counts: Array) -> Array:
        """Return the change of each kind, and their difference: `[3 or 1, resamples]`."""
        sums = [
            scale.signed(
                np.sum([weight * pair.change(c) for (weight, pair), c in zip(of_kind, counts, strict=True)], 0)
            )
            for of_kind in pairs
        ]
        return np.stack(sums if len(sums) == 1 else [*sums, sums[0] - sums[1]])

    estimates = bootstrap(changes, [len(base[code].documents) for code in weights])
    found = [Gain(mean, _by_seed(weights, base, runs, scale)) for mean, runs in zip(estimates, kinds, strict=False)]
    if len(kinds) == 1:
        return Effect(size, found[0] if specific else None, found[0] if random else None)
    return Effect(size, found[0], found[1], estimates[2], _p(weights, specific, random, scale))


def _by_seed(
    weights: Mapping[str, float], base: Mapping[str, TaskScore], runs: Runs, scale: Scale
) -> tuple[float, ...]:
    changes = [
        weight * np.array([after.score - base[code].score for after in runs[code]]) for code, weight in weights.items()
    ]
    values: list[float] = scale.signed(np.sum(changes, axis=0)).tolist()
    return tuple(values)


def _p(weights: Mapping[str, float], specific: Runs, random: Runs, scale: Scale) -> float | None:
    """Test whether a document fares alike after both trainings (the mean over seeds each), so that the two may swap."""
    if not all(weigh_alike([*specific[code], *random[code]]) for code in weights):
        return None
    shares = [
        weight * (document_shares(specific[code]) - document_shares(random[code])) for code, weight in weights.items()
    ]
    return permutation_p(scale.signed(np.concatenate(shares)))


def _corrected(columns: Sequence[Column]) -> tuple[Column, ...]:
    corrected = iter(holm([e.p for column in columns for e in column.effects if e.p is not None]))
    return tuple(
        replace(
            column,
            effects=tuple(e if e.p is None else replace(e, p_holm=next(corrected)) for e in column.effects),
        )
        for column in columns
    )
