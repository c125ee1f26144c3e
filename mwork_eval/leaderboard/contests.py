"""What can be ranked together: scores of one metric on the same documents, in as many languages as there are."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mwork_eval.digests import digest_of
from mwork_eval.languages.table import ENGLISH
from mwork_eval.leaderboard.board import BoardBenchmark, ChangeGroup
from mwork_eval.results.summaries.entries import Contender, Score
from mwork_eval.results.summaries.numbers import DocumentNumbers
from mwork_eval.statistics.ranks import RankedScores
from mwork_eval.statistics.resampling import Array

AS_THE_TASK_SAYS = "as the task says"
NO_LANGUAGE = "und"
"""What a task without a language is listed under; the tag of what is undetermined."""
_TEMPLATE = re.compile(r"chat template [0-9a-f]+")


@dataclass(frozen=True, eq=False)
class ContestColumn:
    """Scores on one set of documents.

    Attributes:
        language: The language, or `und`.
        task: Name of the lm-eval task.
        documents: Number of documents.
        scores: By contender, its newest score.
    """

    language: str
    task: str
    documents: int
    scores: Mapping[Contender, Score]

    @cached_property
    def numbers(self) -> Mapping[Contender, DocumentNumbers]:
        """The numbers of documents by contender, of those whose documents count what those of the others count."""
        found = {who: score.numbers for who, score in self.scores.items() if score.numbers is not None}
        if not found:
            return {}
        same = Counter(one.denominators.tobytes() for one in found.values())
        often = same.most_common(1)[0][0]
        return {who: one for who, one in found.items() if one.denominators.tobytes() == often}

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """The key of what each document belongs to; empty if no result tells."""
        return next((one.clusters for one in self.numbers.values() if one.clusters), ())

    @property
    def factor(self) -> float:
        """What the ratio of sums over documents is multiplied by."""
        return next((one.factor for one in self.numbers.values()), 1.0)

    @property
    def denominators(self) -> Array:
        """What each document counts: `[documents]`; 1 where documents are not known."""
        known = next(iter(self.numbers.values()), None)
        return np.ones(self.documents) if known is None else known.denominators.astype(float)

    def numerators(self, contender: Contender) -> Array | None:
        """Return what each document adds to a score before `factor`: `[documents]`; None if that is not known."""
        known = self.numbers.get(contender)
        return None if known is None else known.numerators.astype(float) * (known.factor / self.factor)

    def ranked(self, rows: Sequence[Contender]) -> RankedScores:
        """Return the scores of some contenders, who all have one here, as they are ranked."""
        unknown = np.full(len(self.denominators), np.nan)
        numbers = [unknown if (own := self.numerators(row)) is None else own * self.factor for row in rows]
        errors = [self.scores[row].error for row in rows]
        return RankedScores(
            np.array([self.scores[row].value for row in rows], float),
            np.array([np.nan if error is None else error for error in errors], float),
            np.stack(numbers),
            self.denominators,
            self.clusters or [f"{self.language} {number}" for number in range(len(self.denominators))],
        )


@dataclass(eq=False)
class Contest:
    """What can be ranked together: of each language one set of documents.

    Attributes:
        benchmark: Name of the benchmark.
        metric: The metric.
        unit: Its unit.
        higher_is_better: Its direction.
        prompting: How models were asked, in words.
        label: Which documents, in words.
        columns: By language, English first.
        changes: Changes of language-specific settings on these documents.
    """

    benchmark: str
    metric: str
    unit: str
    higher_is_better: bool
    prompting: str
    label: str = ""
    columns: dict[str, ContestColumn] = field(default_factory=dict)
    changes: list[ChangeGroup] = field(default_factory=list)

    @property
    def contenders(self) -> set[Contender]:
        """Who has a score in any language."""
        return {who for column in self.columns.values() for who in column.scores}

    @property
    def compared_by(self) -> set[str]:
        """What the scores can be compared by."""
        return {score.compared_by for column in self.columns.values() for score in column.scores.values()}


def contests_of(benchmark: BoardBenchmark) -> list[Contest]:
    """Arrange the scores of a benchmark in contests, the one with the most scores first.

    Of several sets of documents in one language, each goes where most of those who have it have scores of the same
    number of documents in other languages.
    """
    contests: list[Contest] = []
    for score, column in _columns(benchmark):
        kind = (score.metric, score.unit, score.higher_is_better, in_words(score))
        best: Contest | None = max(
            (one for one in contests if _kind(one) == kind and column.language not in one.columns),
            key=lambda one: _fit(one, column),
            default=None,
        )
        if best is None or not any(_fit(best, column)):
            best = Contest(benchmark.name, *kind)
            contests.append(best)
        best.columns[column.language] = column
    for contest in contests:
        ordered = sorted(contest.columns.items(), key=lambda item: (item[0] != ENGLISH, item[0]))
        contest.columns = dict(ordered)
    contests.sort(key=lambda one: -sum(len(column.scores) for column in one.columns.values()))
    for group in benchmark.groups:
        if not group.random and (of_group := _contest_of(group, contests)) is not None:
            of_group.changes.append(group)
    _name(contests)
    return contests


def in_words(score: Score) -> str:
    """Return how a model was asked; chat templates, of which each model has its own, are not told apart."""
    return _TEMPLATE.sub("chat template", score.asked) or AS_THE_TASK_SAYS


def _columns(benchmark: BoardBenchmark) -> Iterable[tuple[Score, ContestColumn]]:
    """Return columns with one of their scores, those with the most scores first."""
    found: dict[tuple[str, ...], dict[Contender, Score]] = defaultdict(dict)
    for of_column in benchmark.scores.values():
        for who, score in of_column.items():
            own = found[score.task, score.metric, score.unit, score.ranked_by or score.compared_by]
            if who not in own or own[who].time <= score.time:
                own[who] = score
    columns = []
    for scores in found.values():
        first = next(iter(scores.values()))
        columns.append((first, ContestColumn(first.language or NO_LANGUAGE, first.task, first.documents, scores)))
    return sorted(columns, key=lambda pair: (-len(pair[1].scores), -pair[1].documents))


def _kind(contest: Contest) -> tuple[str, str, bool, str]:
    return contest.metric, contest.unit, contest.higher_is_better, contest.prompting


def _fit(contest: Contest, column: ContestColumn) -> tuple[bool, int]:
    same = any(other.documents == column.documents for other in contest.columns.values())
    return same, len(contest.contenders & column.scores.keys())


def _contest_of(group: ChangeGroup, contests: Sequence[Contest]) -> Contest | None:
    wanted = {one for change in group.changes.values() for one in change.documents_of}
    shared = [len(wanted & contest.compared_by) for contest in contests]
    return contests[shared.index(max(shared))] if any(shared) else None


def _name(contests: Sequence[Contest]) -> None:
    """Give contests labels; those that would be alike get the beginning of what tells them apart."""
    for contest in contests:
        counts = {column.documents for column in contest.columns.values()}
        low, high = min(counts), max(counts)
        contest.label = f"{low} document{'s' if low != 1 else ''}"
        if low != high:
            contest.label = f"{low} to {high} documents by language"
    times = Counter((*_kind(contest), contest.label) for contest in contests)
    alike = [contest for contest in contests if times[*_kind(contest), contest.label] > 1]
    for contest in alike:
        contest.label += f" #{digest_of(sorted(contest.compared_by))[:4]}"
