"""Arrange scores so that only comparable ones stand in one column, and only one of a model in each place."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from mwork_eval.digests import digest_of
from mwork_eval.languages.table import ENGLISH
from mwork_eval.leaderboard.naming import known_weights, shown_as
from mwork_eval.results.prompting_record import shots_in_words
from mwork_eval.results.summaries.entries import (
    ComparedDetectors,
    Contender,
    FolderFacts,
    FolderResults,
    RowEffect,
    Score,
)

_SLUG_LENGTH = 60

Entry = TypeVar("Entry", Score, RowEffect)


@dataclass(frozen=True)
class BoardColumn:
    """Scores that can be compared: one task, metric, and the same documents, prompts and right answers.

    Attributes:
        task: Name of the lm-eval task.
        language: Its language, or None.
        metric: The metric.
        higher_is_better: Whether a higher score is better.
        unit: Unit of the scores.
        documents: Number of documents.
        compared_by: What the results have in common.
        label: A name that no other column of the benchmark has.
    """

    task: str
    language: str | None
    metric: str
    higher_is_better: bool
    unit: str
    documents: int
    compared_by: str
    label: str


@dataclass(frozen=True)
class ChangeGroup:
    """Changes that can be compared: one row of one table on the same documents of the same languages.

    Attributes:
        preset: The table.
        setting: The row.
        random: Whether it is a random control.
        languages: Mask languages.
        documents: Documents per language, the fewest.
        unit: Unit of the changes.
        label: A name that no other group of the benchmark has.
        changes: By contender, the change shown: its newest.
        pivot: The language that the others are compared with.
    """

    preset: str
    setting: str
    random: bool
    languages: tuple[str, ...]
    documents: int
    unit: str
    label: str
    changes: Mapping[Contender, RowEffect]
    pivot: str


@dataclass(frozen=True)
class BoardBenchmark:
    """What is known of a benchmark.

    Attributes:
        name: Its name.
        columns: Columns of scores, English first.
        scores: By column and contender, the score shown: the newest.
        groups: Groups of changes, language-specific ones first.
    """

    name: str
    columns: tuple[BoardColumn, ...]
    scores: Mapping[BoardColumn, Mapping[Contender, Score]]
    groups: tuple[ChangeGroup, ...]

    @cached_property
    def contenders(self) -> tuple[Contender, ...]:
        """Who has a score or a change: the best of the fullest column first."""
        known = dict.fromkeys(c for of_column in self.scores.values() for c in of_column)
        known |= dict.fromkeys(c for group in self.groups for c in group.changes)
        if not self.columns:
            return tuple(known)
        first = max(self.columns, key=lambda column: len(self.scores[column]))
        sign = -1.0 if first.higher_is_better else 1.0
        scores = self.scores[first]
        return tuple(
            sorted(known, key=lambda c: (c not in scores, sign * scores[c].value if c in scores else 0.0, c.name))
        )


@dataclass(frozen=True)
class Model:
    """Everything of one model, with and without masks.

    Attributes:
        name: Its name.
        scores: All its scores, also older ones, each with whether it is shown.
        changes: All its changes, likewise.
        detectors: Its comparisons of detectors, the newest first.
        facts: What folders say of it, the newest first.
    """

    name: str
    scores: tuple[tuple[Score, bool], ...]
    changes: tuple[tuple[RowEffect, bool], ...]
    detectors: tuple[ComparedDetectors, ...] = ()
    facts: tuple[FolderFacts, ...] = ()

    @property
    def slug(self) -> str:
        """Name of its page: stable, whatever other models there are."""
        return slug_of(self.name)


@dataclass(frozen=True)
class Board:
    """A leaderboard.

    Attributes:
        benchmarks: The benchmarks by name.
        models: The models by name.
        skipped: What could not be read, and why.
        same: By contender of unknown weights, the one with the only weights known of its model.
    """

    benchmarks: tuple[BoardBenchmark, ...]
    models: tuple[Model, ...]
    skipped: tuple[str, ...] = ()
    same: Mapping[Contender, Contender] = field(default_factory=dict)


def slug_of(name: str) -> str:
    """Return a file name for any name: readable, and made unique by a digest."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:_SLUG_LENGTH].lower()
    return f"{readable or 'x'}-{digest_of(name)[:8]}"


def build_board(results: Iterable[FolderResults], skipped: Sequence[str] = (), *, given: Sequence[Path] = ()) -> Board:
    """Arrange everything that was read.

    A task whose name does not tell its language is of the benchmark and language that a matrix says.
    Results that do not say of which weights they are count as the model's whose name they have, if that has only one
    fingerprint. Where a contender has several results of one column, the newest is shown.

    Args:
        results: What was read.
        skipped: What could not be read, and why.
        given: The folders in which results were looked for; where results are from is shown from there on.
    """
    read = shown_as(results, given)
    scores = _named_alike([score for of_folder in read for score in of_folder.scores])
    changes = [change for of_folder in read for change in of_folder.changes]
    same = known_weights([*(score.contender for score in scores), *(change.contender for change in changes)])
    shown: set[int] = set()
    by_benchmark: dict[str, tuple[list[Score], list[RowEffect]]] = defaultdict(lambda: ([], []))
    for score in scores:
        by_benchmark[score.benchmark][0].append(score)
    for change in changes:
        by_benchmark[change.benchmark][1].append(change)
    benchmarks = tuple(_benchmark(name, *by_benchmark[name], same, shown) for name in sorted(by_benchmark))
    scores_of: dict[str, list[tuple[Score, bool]]] = defaultdict(list)
    changes_of: dict[str, list[tuple[RowEffect, bool]]] = defaultdict(list)
    for score in scores:
        scores_of[score.contender.model].append((score, id(score) in shown))
    for change in changes:
        changes_of[change.contender.model].append((change, id(change) in shown))
    detectors_of: dict[str, list[ComparedDetectors]] = defaultdict(list)
    for one in sorted((one for of_folder in read for one in of_folder.detectors), key=lambda one: -one.time):
        detectors_of[one.contender.model].append(one)
    facts_of: dict[str, list[FolderFacts]] = defaultdict(list)
    for of_model in sorted((one.facts for one in read if one.facts is not None), key=lambda facts: -facts.time):
        facts_of[of_model.contender.model].append(of_model)
    models = tuple(
        Model(name, tuple(scores_of[name]), tuple(changes_of[name]), tuple(detectors_of[name]), tuple(facts_of[name]))
        for name in sorted(scores_of.keys() | changes_of.keys())
    )
    return Board(benchmarks, models, tuple(skipped), same)


def _named_alike(scores: Sequence[Score]) -> list[Score]:
    """Return scores, those of unknown language with benchmark and language that all others of their task have."""
    told: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for score in scores:
        if score.language is not None:
            told[score.task].add((score.benchmark, score.language))
    return [_named(score, told[score.task]) for score in scores]


def _named(score: Score, told: set[tuple[str, str]]) -> Score:
    """Return a score with the only benchmark and language told of its task, if it does not tell its own."""
    if score.language is not None or len(told) != 1:
        return score
    ((benchmark, language),) = told
    return replace(score, benchmark=benchmark, language=language)


def _benchmark(
    name: str,
    scores: Sequence[Score],
    changes: Sequence[RowEffect],
    same: Mapping[Contender, Contender],
    shown: set[int],
) -> BoardBenchmark:
    found: dict[tuple[str, str, str, str], list[Score]] = defaultdict(list)
    for score in scores:
        # A metric of an unknown name can be a share in one model's documents and beyond it in another's.
        found[score.task, score.metric, score.compared_by, score.unit].append(score)
    ordered = sorted(found.items(), key=lambda item: (item[1][0].language != ENGLISH, item[0][0], -len(item[1])))
    names = _column_names([of_key[0] for _, of_key in ordered])
    labels = _distinct([(label, " ".join(key[1:])) for label, (key, _) in zip(names, ordered, strict=True)])
    by_column: dict[BoardColumn, Mapping[Contender, Score]] = {}
    for (key, of_key), label in zip(ordered, labels, strict=True):
        first = of_key[0]
        column = BoardColumn(
            first.task, first.language, first.metric, first.higher_is_better, first.unit, first.documents, key[2], label
        )
        by_column[column] = newest = _newest(of_key, same)
        shown |= {id(score) for score in newest.values()}
    return BoardBenchmark(name, tuple(by_column), by_column, _groups(changes, same, shown))


def _groups(
    changes: Sequence[RowEffect], same: Mapping[Contender, Contender], shown: set[int]
) -> tuple[ChangeGroup, ...]:
    found: dict[tuple[str, str, str, str, str], list[RowEffect]] = defaultdict(list)
    for change in changes:
        against = "" if change.pivot == ENGLISH else f" against {change.pivot}"
        where = " ".join(change.languages) + against
        found[change.preset, change.setting, where, change.compared_by, change.pivot].append(change)
    ordered = sorted(found.items(), key=lambda item: item[1][0].random)
    labels = _distinct([(f"{key[1]} ({key[2]}; {of_key[0].documents} documents)", key[3]) for key, of_key in ordered])
    groups = []
    for (_, of_key), label in zip(ordered, labels, strict=True):
        first, newest = of_key[0], _newest(of_key, same)
        shown |= {id(change) for change in newest.values()}
        groups.append(
            ChangeGroup(
                first.preset,
                first.setting,
                first.random,
                first.languages,
                first.documents,
                first.unit,
                label,
                newest,
                first.pivot,
            )
        )
    return tuple(groups)


def _newest(entries: Sequence[Entry], same: Mapping[Contender, Contender]) -> dict[Contender, Entry]:
    ordered = sorted(entries, key=lambda entry: (entry.time, str(entry.folder)))
    return {same.get(entry.contender, entry.contender): entry for entry in ordered}


def _column_names(scores: Sequence[Score]) -> list[str]:
    """Return names of columns: language, documents, how models were asked, and examples where only they differ."""
    names = [
        f"{score.language or score.task} ({'; '.join([str(score.documents), *score.prompting])})" for score in scores
    ]
    shots: dict[str, set[int | None]] = defaultdict(set)
    for name, score in zip(names, scores, strict=True):
        shots[name].add(score.shots)
    return [
        name if len(shots[name]) == 1 or score.shots is None else f"{name[:-1]}; {shots_in_words(score.shots)})"
        for name, score in zip(names, scores, strict=True)
    ]


def _distinct(names: Sequence[tuple[str, str]]) -> list[str]:
    """Return names that are all different: equal ones get the beginning of what tells them apart."""
    times = Counter(name for name, _ in names)
    return [name if times[name] == 1 else f"{name} #{digest_of(key)[:4]}" for name, key in names]
