"""What deltas change in scores, and whether the language's neurons do more than random ones: arithmetic, no model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.enhancement.record import RANDOM, SPECIFIC, TrainedDelta
from mwork_eval.enhancement.scores import Scores
from mwork_eval.enhancement.tables import ChangeColumn, ChangeTable, Effect, Gain
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.paired_scores import PairedScores
from mwork_eval.results.scale import Scale
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.clustered import Clustering, estimate
from mwork_eval.statistics.draws import DrawTest, against_draws
from mwork_eval.statistics.resampling import LEVEL, Array, Estimate, holm

Runs = Mapping[str, Sequence[TaskScore]]
"""By language, the scores after training, one a seed."""


def change_tables(
    deltas: Sequence[TrainedDelta], families: Sequence[TaskFamily], scores: Scores, pivot: str = ENGLISH
) -> list[ChangeTable]:
    """Return a table per trained language (or group) and benchmark; a benchmark without the language has none.

    Args:
        deltas: The trained deltas.
        families: The benchmarks with their languages.
        scores: The scores; deltas whose scores are missing are left out.
        pivot: The language that the others are compared with.
    """
    groups = dict.fromkeys(delta.languages for delta in deltas)
    tables = []
    for group in groups:
        own = [delta for delta in deltas if delta.languages == group]
        for family in families:
            if all((None, family.task(language)) in scores for language in family.languages):
                trained = tuple(language for language in group if language in family.languages)
                if trained:
                    tables.append(_table(group, trained, own, family, scores, pivot))
    return tables


def mean_tables(
    deltas: Sequence[TrainedDelta], families: Sequence[TaskFamily], scores: Scores, pivot: str = ENGLISH
) -> list[ChangeTable]:
    """Return, per trained language (or group), the mean over benchmarks, as the paper's Table 6 has it.

    Only metrics of one unit and direction are averaged; where there are several, each has a table.

    Args:
        deltas: The trained deltas.
        families: The benchmarks with their languages; one without a trained language or the pivot is left out.
        scores: The scores; deltas that lack one are left out.
        pivot: The language that the others are compared with.
    """
    tables = []
    for group in dict.fromkeys(delta.languages for delta in deltas):
        by_scale: dict[Scale, list[TaskFamily]] = {}
        for family in families:
            tasks = [family.task(code) for code in (*group, pivot) if code in family.languages]
            # `bpb` and `bpb_{l}` are the same tasks, and count once.
            known = any(tasks[:1] == [other.task(group[0])] for of_scale in by_scale.values() for other in of_scale)
            if not known and len(tasks) == len({*group, pivot}) and all((None, task) in scores for task in tasks):
                by_scale.setdefault(Scale.of(scores[None, tasks[0]]), []).append(family)
        own = [delta for delta in deltas if delta.languages == group]
        found = (_mean_table(group, own, of_scale, scores, scale, pivot) for scale, of_scale in by_scale.items())
        tables += [table for table in found if table.sizes]
    return tables


def _mean_table(
    group: tuple[str, ...],
    deltas: Sequence[TrainedDelta],
    families: Sequence[TaskFamily],
    scores: Scores,
    scale: Scale,
    pivot: str,
) -> ChangeTable:
    shown: list[tuple[tuple[str, ...], str | None]] = [(group, None)]
    shown += [((pivot,), None), (group, pivot)] if pivot not in group else []
    tasks = [family.task(code) for family in families for code in {*group, pivot}]
    base = {task: scores[None, task] for task in tasks}
    complete = [delta for delta in deltas if all((delta, task) in scores for task in tasks)]
    columns = []
    for languages, against in shown:
        one = {family.task(code): 1 / len(languages) / len(families) for family in families for code in languages}
        weights = one | {family.task(against): -1 / len(families) for family in families if against}
        effects = []
        for size in sorted({delta.documents for delta in complete}):
            specific, random = (
                {task: [scores[d, task] for d in chosen] for task in weights} if chosen else {}
                for kind in (SPECIFIC, RANDOM)
                for chosen in [[d for d in complete if (d.kind, d.documents) == (kind, size)]]
            )
            effects.append(_effect(size, weights, base, specific, random, scale))
        before = scale.factor * sum(weight * base[task].score for task, weight in one.items())
        columns.append(
            ChangeColumn(languages, against, before, sum(len(base[task].documents) for task in weights), tuple(effects))
        )
    return ChangeTable(
        trained=group,
        task=f"mean of {', '.join(family.name for family in families)}",
        metric=", ".join(dict.fromkeys(base[family.task(group[0])].metric for family in families)),
        unit=scale.unit,
        higher_is_better=scale.higher_is_better,
        neurons=deltas[0].neurons,
        missing=(),
        columns=_corrected(columns),
        pivot=pivot,
    )


def _table(
    group: tuple[str, ...],
    trained: tuple[str, ...],
    deltas: Sequence[TrainedDelta],
    family: TaskFamily,
    scores: Scores,
    pivot: str,
) -> ChangeTable:
    base = {language: scores[None, family.task(language)] for language in family.languages}
    scale = Scale.of(base[trained[0]])
    others = tuple(language for language in family.languages if language not in (*trained, pivot))
    compared = (pivot,) if pivot not in trained else ()
    shown: list[tuple[tuple[str, ...], str | None]] = [((code,), None) for code in (*trained, *compared, *others)]
    shown += [(others, None)] if len(others) > 1 else []
    shown += [(trained, code) for code in compared]
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
        columns.append(ChangeColumn(languages, against, before, scored, tuple(effects)))
    return ChangeTable(
        group,
        family.name,
        base[trained[0]].metric,
        scale.unit,
        scale.higher_is_better,
        deltas[0].neurons,
        family.missing,
        _corrected(columns),
        pivot,
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
    own, drawn = (_Changes(weights, base, runs, scale) if runs else None for runs in (specific, random))
    effect = Effect(size, None if own is None else own.gain(), None if drawn is None else drawn.gain())
    if own is None or drawn is None:
        return effect
    value = float(own.by_run.mean() - drawn.by_run.mean())
    moved = [mine.mean(0) - theirs.mean(0) for mine, theirs in zip(own.changes, drawn.changes, strict=True)]
    test = against_draws(own.clustering, [part.mean(0) for part in own.wholes], drawn.wholes, moved)
    if isinstance(test, str):
        return replace(effect, difference=Estimate(value, None, None, None, test), reason=test)
    return replace(effect, difference=_interval(test), p=test.p)


def _interval(test: DrawTest) -> Estimate:
    """Return the difference with the interval of the test; without any variance, with none."""
    error = float(np.sqrt(test.variance))
    if not error:
        return Estimate(test.difference, None, None, None, "documents and draws are all alike")
    width = error * float(special.stdtrit(test.degrees, (1 + LEVEL) / 2))
    return Estimate(test.difference, test.difference - width, test.difference + width, error)


class _Changes:
    """A weighted sum of several languages' changes, document by document and run by run.

    Attributes:
        by_run: The sum in each run, `[runs]`.
        clustering: The documents' clusters.
        changes: Per language, the change of each document's own score, `[runs, documents]`.
        wholes: Per language, all that each document adds to the sum, `[runs, documents]`.
    """

    def __init__(self, weights: Mapping[str, float], base: Mapping[str, TaskScore], runs: Runs, scale: Scale) -> None:
        samples = [PairedScores(base[code], runs[code], code) for code in weights]
        self.clustering = Clustering([sample.shares for sample in samples], [sample.keys for sample in samples])

        def weighted(values: Iterable[Array]) -> list[Array]:
            return [scale.signed(weight * own) for weight, own in zip(weights.values(), values, strict=True)]

        changes = weighted(sample.changes for sample in samples)
        self.by_run: Array = np.sum(changes, axis=0)
        self.changes = weighted(sample.own_changes for sample in samples)
        self._contributions = weighted(sample.contributions for sample in samples)
        self.wholes = [
            own + change[:, None] * sample.shares
            for own, change, sample in zip(self._contributions, changes, samples, strict=True)
        ]

    def gain(self) -> Gain:
        """Return the mean over runs with its interval over documents."""
        mean = estimate(
            float(self.by_run.mean()),
            self.clustering,
            [part.mean(0) for part in self._contributions],
            [part.mean(0) for part in self.changes],
        )
        return Gain(mean, tuple(self.by_run.tolist()))


def _corrected(columns: Sequence[ChangeColumn]) -> tuple[ChangeColumn, ...]:
    corrected = iter(holm([e.p for column in columns for e in column.effects if e.p is not None]))
    return tuple(
        replace(
            column,
            effects=tuple(e if e.p is None else replace(e, p_holm=next(corrected)) for e in column.effects),
        )
        for column in columns
    )
