"""The rows of a leaderboard's tables: as text for the pages, unrounded for the CSV files."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.leaderboard.board import BoardBenchmark, ChangeGroup, Model
from mwork_eval.reports import wording
from mwork_eval.results.main_metric import POINTS
from mwork_eval.results.summaries.entries import Contender, RowEffect, Score

SCORE_FIELDS = (
    "model",
    "fingerprint",
    "mask",
    "benchmark",
    "language",
    "task",
    "metric",
    "higher_is_better",
    "unit",
    "score",
    "standard_error",
    "documents",
    "documents_digest",
    "folder",
    "time",
    "shown",
)
ASKING_FIELDS = ("prompting", "shots")
"""How models were asked, where any score of a table was not asked as task files say, without examples."""
_CHANGES = ("delta_eng", "delta_non_eng", "delta")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def change_fields(pivot: Pivot) -> tuple[str, ...]:
    """Return the names of a change's values; those of pivots other than English say which."""
    names = [pivot.keys.get(name, name) for name in _CHANGES]
    return (
        *("model", "fingerprint", "benchmark", "preset", "setting", "random", "languages", "neurons", "unit"),
        *(f"{name}{end}" for name in names for end in ("", "_low", "_high")),
        *("p_holm", "documents", "documents_digest", "folder", "time", "shown"),
        *(() if pivot.is_english else ("pivot",)),
    )


def score_record(score: Score, shown: bool) -> dict[str, Any]:
    """Return a score by `SCORE_FIELDS`."""
    values = (
        score.contender.name,
        score.contender.fingerprint,
        score.contender.mask,
        score.benchmark,
        score.language,
        score.task,
        score.metric,
        score.higher_is_better,
        score.unit,
        score.value,
        score.error,
        score.documents,
        score.compared_by,
        os.fspath(score.folder),
        score.time,
        shown,
    )
    return dict(zip(SCORE_FIELDS, values, strict=True))


def score_records(scores: Iterable[tuple[Score, bool]]) -> list[dict[str, Any]]:
    """Return scores with whether each is shown by `SCORE_FIELDS` and, where they tell scores apart, `ASKING_FIELDS`."""
    listed = list(scores)
    records = [score_record(*one) for one in listed]
    if any(score.asked for score, _ in listed):
        for record, (score, _) in zip(records, listed, strict=True):
            record |= dict(zip(ASKING_FIELDS, ("; ".join(score.prompting), score.shots), strict=True))
    return records


def change_record(change: RowEffect, shown: bool) -> dict[str, Any]:
    """Return a change by `change_fields` of its pivot."""
    pivot = Pivot(change.pivot)
    values = (
        change.contender.name,
        change.contender.fingerprint,
        change.benchmark,
        change.preset,
        change.setting,
        change.random,
        " ".join(change.languages),
        " ".join(f"{language}={count}" for language, count in change.neurons.items()),
        change.unit,
        *(number for name in _CHANGES for number in change.values[name]),
        change.p_holm,
        change.documents,
        change.compared_by,
        os.fspath(change.folder),
        change.time,
        shown,
        *(() if pivot.is_english else (pivot.tag,)),
    )
    return dict(zip(change_fields(pivot), values, strict=True))


def changes_by_pivot(changes: Iterable[tuple[RowEffect, bool]]) -> dict[Pivot, list[tuple[RowEffect, bool]]]:
    """Return changes with whether each is shown, by pivot: those of several never stand in one table."""
    found: dict[Pivot, list[tuple[RowEffect, bool]]] = {}
    for change, shown in changes:
        found.setdefault(Pivot(change.pivot), []).append((change, shown))
    return found


def changes_file(pivot: Pivot, ending: str) -> str:
    """Return the name of the file of a pivot's changes."""
    return f"changes{'' if pivot.is_english else f'-{pivot.tag}'}.{ending}"


def as_csv(fields: Sequence[str], records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return records as CSV in UTF-8; a text that a spreadsheet would take for a formula gets an apostrophe."""
    file = io.StringIO()
    writer = csv.DictWriter(file, fields, lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: _safe(value) for name, value in record.items()})
    return file.getvalue().encode("utf-8", "replace")


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def score_text(score: Score) -> str:
    """Return a score with its standard error as text."""
    error = "" if score.error is None else f" ±{wording.number(score.error, score.unit)}"
    return wording.number(score.value, score.unit) + error


def score_interval(score: Score) -> str:
    """Return the 95 % interval of a score over its documents, by cluster, as text; empty if documents are not known."""
    if (found := score.interval) is None:
        return ""
    low, high = found
    if score.unit == POINTS:  # few clusters may make an interval wider than what there is
        low, high = max(low, 0.0), min(high, 100.0)
    return f"[{wording.number(low, score.unit)}, {wording.number(high, score.unit)}]"


def score_rows(benchmark: BoardBenchmark) -> tuple[list[str], list[tuple[Contender, list[str]]]]:
    """Return the columns of a benchmark's table of scores, and its rows by contender."""
    own = [group for group in benchmark.groups if not group.random]
    columns = [column.label for column in benchmark.columns]
    columns += [f"∆ {group.label}".replace(" (", "\n(", 1) for group in own]
    rows = []
    for contender in benchmark.contenders:
        found = [benchmark.scores[column].get(contender) for column in benchmark.columns]
        changed = [group.changes.get(contender) for group in own]
        texts = ["" if score is None else score_text(score) for score in found]
        texts += ["" if c is None else wording.difference(c.values["delta"][0], c.unit) for c in changed]
        rows.append((contender, texts))
    return columns, rows


def change_columns(pivot: Pivot) -> tuple[str, ...]:
    """Return the heads of a table of changes."""
    return ("row", "table", "neurons", pivot.delta, pivot.delta_others, "∆", "95 % of ∆", "p (Holm)")


def change_rows(groups: Sequence[ChangeGroup]) -> list[tuple[Contender, list[str]]]:
    """Return the rows of a benchmark's table of changes of one pivot, by contender."""
    return [
        (contender, [group.label, *change_texts(change)])
        for group in groups
        for contender, change in group.changes.items()
    ]


def change_texts(change: RowEffect) -> list[str]:
    """Return a change as texts: all of `change_columns` but the row."""
    counts = set(change.neurons.values())
    low, high = change.values["delta"][1:]
    ends = [] if low is None or high is None else [wording.difference(end, change.unit) for end in (low, high)]
    return [
        change.preset,
        f"{min(counts)}" if len(counts) == 1 else f"{min(counts, default=0)} to {max(counts, default=0)}",
        *(wording.difference(change.values[name][0], change.unit) for name in _CHANGES),
        f"[{', '.join(ends)}]" if ends else "[too few to tell]",
        "" if change.random else wording.p_value(change.p_holm),
    ]


def model_score_rows(model: Model) -> list[tuple[Contender, list[str]]]:
    """Return the rows of a model's table of scores: metric, score, interval, unit, documents, weights, shown."""
    return [
        (
            score.contender,
            [
                f"{score.metric}; {score.asked}" if score.asked else score.metric,
                score_text(score),
                score_interval(score),
                score.unit,
                str(score.documents),
                (score.contender.fingerprint or "")[:8],
                "yes" if shown else "older",
            ],
        )
        for score, shown in model.scores
    ]
