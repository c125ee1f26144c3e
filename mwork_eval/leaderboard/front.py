"""What the first page and the page that compares two models know: rows, scores, and the numbers of their documents."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import find_language
from mwork_eval.leaderboard.board import Board, BoardBenchmark, ChangeGroup, slug_of
from mwork_eval.leaderboard.contests import NO_LANGUAGE, Contest, ContestColumn, contests_of
from mwork_eval.leaderboard.naming import several_weights
from mwork_eval.leaderboard.profile import NeuronProfile, told_of
from mwork_eval.results.sample_text import shorten
from mwork_eval.results.summaries.entries import Contender

BUDGET = 16 * 2**20
"""Characters of a page that numbers of documents may take."""
_DIGITS = 6
_NAME_LENGTH = 120


def front_values(
    board: Board, profiles: Mapping[tuple[str, str | None], NeuronProfile], budget: int = BUDGET
) -> dict[str, Any]:
    """Return everything of the two pages as JSON values.

    Args:
        board: The leaderboard.
        profiles: Where the neurons of a model sit, by its name and fingerprint.
        budget: Characters that numbers of documents may take; the columns with the most lose theirs first, and then
            their rows are compared by standard errors.
    """
    who = _contenders(board)
    numbers = {contender: number for number, contender in enumerate(who)}
    contests = [(one, contest) for one in board.benchmarks for contest in contests_of(one) if contest.columns]
    values = [_contest(one, contest, numbers) for one, contest in contests]
    _fit_budget(values, budget)
    return {"rows": _rows(board, who, profiles), "contests": values}


def row_slug(contender: Contender) -> str:
    """Return what a row is called in a link: stable, whatever other rows there are."""
    return slug_of(" ".join(part for part in (contender.name, contender.fingerprint) if part))


def _contenders(board: Board) -> list[Contender]:
    known = {who for one in board.benchmarks for who in one.contenders}
    return sorted(known, key=lambda who: (who.model, who.mask is not None, who.mask or "", who.fingerprint or ""))


def _rows(
    board: Board, contenders: Sequence[Contender], profiles: Mapping[tuple[str, str | None], NeuronProfile]
) -> list[dict[str, Any]]:
    several = several_weights(contenders)
    models = {model.name: model for model in board.models}
    rows = []
    for who in contenders:
        model = models[who.model]
        facts = [
            one for one in model.facts if board.same.get(one.contender, one.contender).fingerprint == who.fingerprint
        ]
        profile = profiles.get((who.model, who.fingerprint))
        rows.append(
            {
                "name": shorten(who.model, _NAME_LENGTH),
                "slug": row_slug(who),
                "href": f"models/{model.slug}/index.html",
                "family": None if profile is None else profile.family,
                "parameters": told_of(facts, "parameters"),
                "mask": None if who.mask is None else shorten(who.mask, _NAME_LENGTH),
                "changed": who.changed,
                "weights": (who.fingerprint or "unknown")[:8] if who.model in several else None,
                "layers": profile.by_layer() if profile is not None and who.mask is None else {},
            }
        )
    return rows


def _contest(benchmark: BoardBenchmark, contest: Contest, numbers: Mapping[Contender, int]) -> dict[str, Any]:
    clusters = _numbered_clusters(contest)
    return {
        "benchmark": benchmark.name,
        "href": f"tasks/{slug_of(benchmark.name)}/index.html",
        "metric": contest.metric,
        "unit": contest.unit,
        "higher": contest.higher_is_better,
        "prompting": contest.prompting,
        "label": contest.label,
        "columns": [_column(column, clusters[language], numbers) for language, column in contest.columns.items()],
        "changes": [_change(group, contest, numbers) for group in contest.changes],
    }


def _column(column: ContestColumn, clusters: list[int] | None, numbers: Mapping[Contender, int]) -> dict[str, Any]:
    weights = column.denominators
    by_row = {}
    for who in column.scores:
        if (own := column.numerators(who)) is not None:
            by_row[str(numbers[who])] = _packed(own)
    return {
        "language": column.language,
        "name": column.task if column.language == NO_LANGUAGE else find_language(column.language).name,
        "task": column.task,
        "documents": column.documents,
        "shown": [
            [numbers[who], _rounded(score.value), None if score.error is None else _rounded(score.error)]
            for who, score in column.scores.items()
        ],
        "factor": column.factor,
        "clusters": clusters if by_row else None,
        "weights": None if not by_row or (weights == 1).all() else _base64(weights),
        "scores": by_row,
    }


def _change(group: ChangeGroup, contest: Contest, numbers: Mapping[Contender, int]) -> dict[str, Any]:
    alike = sum(other.setting == group.setting for other in contest.changes) > 1
    against = "" if Pivot(group.pivot).is_english else f" against {group.pivot}"
    return {
        "label": group.label if alike else f"{group.setting}{against}",
        "pivot": group.pivot,
        "unit": group.unit,
        "values": [
            [
                numbers[who],
                {language: _rounded(delta) for language, delta in change.by_language.items()} or None,
                *(None if end is None else _rounded(end) for end in change.values["delta"]),
                _rounded(change.values["delta_eng"][0]),
                _rounded(change.values["delta_non_eng"][0]),
            ]
            for who, change in group.changes.items()
        ],
    }


def _numbered_clusters(contest: Contest) -> dict[str, list[int] | None]:
    """Return the clusters of each column's documents as numbers that columns share; None where each is by itself."""
    places: dict[str, int] = {}
    found: dict[str, list[int] | None] = {}
    every = [key for column in contest.columns.values() for key in column.clusters]
    alone = len(set(every)) == len(every)
    for language, column in contest.columns.items():
        if alone or not column.clusters:
            found[language] = None
        else:
            found[language] = [places.setdefault(key, len(places)) for key in column.clusters]
    return found


def _packed(numerators: Any) -> str:
    """Return numbers of documents as text: bits, the lowest first, where all are 0 or 1, else 32-bit floats."""
    if ((numerators == 0) | (numerators == 1)).all():
        bits = np.packbits(numerators.astype(bool), bitorder="little")
        return f"0:{base64.b64encode(bits.tobytes()).decode()}"
    return f"f:{_base64(numerators)}"


def _base64(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)


def _fit_budget(contests: Sequence[dict[str, Any]], budget: int) -> None:
    """Take the numbers of documents out of the largest columns until all others fit."""
    sizes = [
        (_size(column), contest, column) for contest in contests for column in contest["columns"] if column["scores"]
    ]
    total = sum(size for size, _, _ in sizes)
    for size, contest, column in sorted(sizes, key=lambda item: -item[0]):
        if total <= budget:
            break
        column |= {"clusters": None, "weights": None, "scores": {}}
        contest["unpaired"] = True
        total -= size


def _size(column: Mapping[str, Any]) -> int:
    packed = sum(map(len, column["scores"].values())) + len(column["weights"] or "")
    return packed + 6 * len(column["clusters"] or ())
