"""Rank the contenders of a contest over the languages that are chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.leaderboard.board import Board
from mwork_eval.leaderboard.contests import Contest, contests_of
from mwork_eval.leaderboard.naming import label_of, several_weights
from mwork_eval.reports import wording
from mwork_eval.results.summaries.entries import Contender
from mwork_eval.statistics.ranks import RankRange, rank_ranges


@dataclass(frozen=True)
class RankedRow:
    """A contender of a ranking.

    Attributes:
        contender: Who.
        label: Its name as it is shown.
        mean: Mean of its scores over the languages.
        rank: The ranks it may have.
        scores: By language, its score.
    """

    contender: Contender
    label: str
    mean: float
    rank: RankRange
    scores: dict[str, float]


@dataclass(frozen=True)
class RankedContest:
    """A ranking.

    Attributes:
        benchmark: Name of the benchmark.
        metric: The metric.
        unit: Unit of scores and means.
        prompting: How models were asked, in words.
        documents: Which documents, in words.
        languages: The languages whose mean is ranked.
        rows: The contenders, the best first.
        unranked: Names of those who lack a score in a language.
    """

    benchmark: str
    metric: str
    unit: str
    prompting: str
    documents: str
    languages: tuple[str, ...]
    rows: tuple[RankedRow, ...]
    unranked: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return a record per row: name, mask, ends of the range of ranks, mean, and the score of each language."""
        return [
            {
                **{"model": row.contender.model, "mask": row.contender.mask, "fingerprint": row.contender.fingerprint},
                **{"rank": str(row.rank), "best_rank": row.rank.best, "worst_rank": row.rank.worst},
                **{"mean": row.mean, "unit": self.unit, **row.scores},
            }
            for row in self.rows
        ]

    @property
    def caption(self) -> str:
        """What is ranked, in words."""
        return f"{self.benchmark}: {self.metric} in {self.unit}, {self.prompting}, {self.documents}"

    @property
    def columns(self) -> list[str]:
        """Heads of the table."""
        return ["rank", "model", "mean", *self.languages]

    def cells(self) -> list[list[str]]:
        """Return the rows of the table as text."""
        return [
            [
                str(row.rank),
                row.label,
                wording.number(row.mean, self.unit),
                *(wording.number(row.scores[language], self.unit) for language in self.languages),
            ]
            for row in self.rows
        ]


def rank(
    board: Board, benchmark: str, languages: Sequence[str] | None = None, prompting: str | None = None
) -> RankedContest:
    """Rank who has a score in every language.

    Args:
        board: The leaderboard.
        benchmark: Name of the benchmark.
        languages: The languages whose mean is ranked; all of the benchmark if not given.
        prompting: How models were asked, in the words of the site. Of several ways, and of several sets of documents,
            the one with the most scores is taken if not given.

    Raises:
        InputError: If there is no such benchmark, language or way of asking.
    """
    named = {one.name: one for one in board.benchmarks}
    if benchmark not in named:
        raise InputError("no such benchmark", found=benchmark, expected=" or ".join(named) or "results with scores")
    every = [contest for contest in contests_of(named[benchmark]) if contest.columns]
    ways = list(dict.fromkeys(contest.prompting for contest in every))
    if not every or (prompting is not None and prompting not in ways):
        raise InputError(
            f"no scores of {benchmark} asked like this", found=prompting or "no scores", expected=" or ".join(ways)
        )
    contests = [contest for contest in every if prompting in (None, contest.prompting)]
    wanted = None if languages is None else tuple(dict.fromkeys(languages))
    if wanted == ():
        raise InputError("no languages to rank by", expected="one or more")
    fitting = [one for one in contests if wanted is None or set(wanted) <= one.columns.keys()]
    if not fitting:
        raise InputError(
            f"no scores of {benchmark} in all of these languages",
            found=" ".join(wanted or ()),
            expected=" or ".join(" ".join(contest.columns) for contest in contests),
        )
    return rank_contest(fitting[0], wanted or tuple(fitting[0].columns))


def rank_contest(contest: Contest, languages: Sequence[str]) -> RankedContest:
    """Rank who has a score of a contest in every one of some languages."""
    columns = [contest.columns[language] for language in languages]
    every = contest.contenders
    rows = [who for who in every if all(who in column.scores for column in columns)]
    several = several_weights(every)
    ranges = rank_ranges([column.ranked(rows) for column in columns], higher_is_better=contest.higher_is_better)
    ranked = [
        RankedRow(
            who,
            label_of(who, several),
            sum(column.scores[who].value for column in columns) / len(columns),
            found,
            {language: column.scores[who].value for language, column in zip(languages, columns, strict=True)},
        )
        for who, found in zip(rows, ranges, strict=True)
    ]
    sign = -1 if contest.higher_is_better else 1
    ranked.sort(key=lambda row: (sign * row.mean, row.label))
    return RankedContest(
        contest.benchmark,
        contest.metric,
        contest.unit,
        contest.prompting,
        contest.label,
        tuple(languages),
        tuple(ranked),
        tuple(sorted(label_of(who, several) for who in every - set(rows))),
    )
