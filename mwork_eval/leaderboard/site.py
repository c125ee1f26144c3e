"""Write a leaderboard as a static site: an index, a page per benchmark and per model, and the numbers as CSV."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mwork_eval.digests import write_text_atomically
from mwork_eval.errors import InputError
from mwork_eval.leaderboard import tables
from mwork_eval.leaderboard.board import Board, BoardBenchmark, Model, slug_of
from mwork_eval.leaderboard.entries import Contender, RowEffect, Score
from mwork_eval.reports.html.environment import assets, page_environment

_PACKAGE = "mwork_eval.leaderboard"
_MARK = ".mwork-leaderboard"
_FOLDERS = ("tasks", "models", "export")
_TEXT_COLUMNS = frozenset({"benchmarks", "languages", "row", "table", "without", "metric", "unit", "weights", "shown"})
"""Columns that hold words; they are read from the left and may take several lines."""


def write_site(board: Board, out: Path, advance: Callable[[str, int], Any] = lambda label, done: None) -> Path:
    """Write a site; pages of an earlier one in the folder are replaced.

    Args:
        board: The leaderboard.
        out: The folder: empty, not there yet, or an earlier site.
        advance: Called with a label and the number of pages just written.

    Returns:
        The index page.

    Raises:
        InputError: If the folder holds other files.
    """
    _make_room(out)
    site = _Site(out)
    for benchmark in board.benchmarks:
        site.write_benchmark(benchmark, {model.name: model for model in board.models})
        advance(benchmark.name, 1)
    for model in board.models:
        site.write_model(model)
        advance(model.name, 1)
    site.write_index(board)
    advance("index", 1)
    return out / "index.html"


def _make_room(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / _MARK).is_file():
        raise InputError(f"{out} holds other files", expected="an empty folder, or an earlier leaderboard")
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).touch()
    for name in _FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)


class _Site:
    """Writes pages into a folder."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._templates = page_environment(_PACKAGE)
        self._assets = assets((_PACKAGE, "site.js"))

    def write_index(self, board: Board) -> None:
        rows = [
            _row(
                [
                    model.name,
                    str(len(model.scores)),
                    str(len(model.changes)),
                    " ".join(sorted({score.benchmark for score, _ in model.scores})),
                    " ".join(sorted({score.language for score, _ in model.scores if score.language})),
                ],
                Contender(model.name, None),
                f"models/{model.slug}/index.html",
            )
            for model in board.models
        ]
        self._csv(self._out, [s for m in board.models for s in m.scores], [c for m in board.models for c in m.changes])
        self._page(
            "index.html",
            self._out,
            scores=sum(len(model.scores) for model in board.models),
            changes=sum(len(model.changes) for model in board.models),
            skipped=board.skipped,
            benchmarks=[
                {
                    "name": one.name,
                    "href": f"tasks/{slug_of(one.name)}/index.html",
                    "about": f"{len(one.contenders)} rows, {', '.join(column.label for column in one.columns[:12])}",
                }
                for one in board.benchmarks
            ],
            models=_table("Models", ["model", "scores", "changes", "benchmarks", "languages"], rows, "scores.csv"),
        )

    def write_benchmark(self, benchmark: BoardBenchmark, models: dict[str, Model]) -> None:
        def link(contender: Contender) -> str:
            return f"../../models/{models[contender.model].slug}/index.html"

        columns, scores = tables.score_rows(benchmark)
        changes = tables.change_rows(benchmark.groups)
        several = _several_weights(benchmark.contenders)
        folder = self._out / "tasks" / slug_of(benchmark.name)
        lower = {column.metric.partition(",")[0] for column in benchmark.columns if not column.higher_is_better}
        self._csv(
            folder,
            [(score, True) for of_column in benchmark.scores.values() for score in of_column.values()],
            [(change, True) for group in benchmark.groups for change in group.changes.values()],
        )
        self._page(
            "benchmark.html",
            folder,
            name=benchmark.name,
            better=f"Lower is better for {', '.join(sorted(lower))}." if lower else "Higher is better.",
            scores=_table(
                f"Scores on {benchmark.name}",
                ["model", *columns],
                [_row([_label(who, several), *texts], who, link(who)) for who, texts in scores],
                "scores.csv",
            ),
            changes=_table(
                f"Changes on {benchmark.name}",
                ["model", *tables.CHANGE_COLUMNS],
                [_row([_label(who, several), *texts], who, link(who)) for who, texts in changes],
                "changes.csv",
            ),
        )

    def write_model(self, model: Model) -> None:
        folder = self._out / "models" / model.slug
        entries: list[Score | RowEffect] = [score for score, _ in model.scores]
        entries += [change for change, _ in model.changes]
        self._csv(folder, model.scores, model.changes)
        score_rows = [
            _row(
                [score.task, score.contender.mask or "", *texts],
                who,
                f"../../tasks/{slug_of(score.benchmark)}/index.html",
            )
            for (score, _), (who, texts) in zip(model.scores, tables.model_score_rows(model), strict=True)
        ]
        change_rows = [
            _row(
                [change.benchmark, change.setting, *tables.change_texts(change), "yes" if shown else "older"],
                change.contender,
                f"../../tasks/{slug_of(change.benchmark)}/index.html",
            )
            for change, shown in model.changes
        ]
        self._page(
            "model.html",
            folder,
            name=model.name,
            folders=list(dict.fromkeys(str(entry.folder) for entry in entries)),
            weights=sorted({entry.contender.fingerprint for entry in entries if entry.contender.fingerprint}),
            scores=_table(
                f"Scores of {model.name}",
                ["task", "without", "metric", "score", "unit", "documents", "weights", "shown"],
                score_rows,
                "scores.csv",
            ),
            changes=_table(
                f"Changes of {model.name}",
                ["benchmark", *tables.CHANGE_COLUMNS, "shown"],
                change_rows,
                "changes.csv",
            ),
        )

    def _page(self, template: str, folder: Path, **values: Any) -> None:
        text = self._templates.get_template(template).render(**self._assets, **values)
        write_text_atomically(folder / "index.html", text.encode("utf-8", "replace").decode())

    def _csv(self, folder: Path, scores: Iterable[Any], changes: Iterable[Any]) -> None:
        records = [tables.change_record(*one) for one in changes]
        text = tables.as_csv(tables.SCORE_FIELDS, (tables.score_record(*one) for one in scores))
        write_text_atomically(folder / "scores.csv", text)
        if records:
            write_text_atomically(folder / "changes.csv", tables.as_csv(tables.CHANGE_FIELDS, records))


def _table(label: str, columns: list[str], rows: list[dict[str, Any]], csv: str) -> dict[str, Any]:
    return {"label": label, "columns": columns, "texts": _TEXT_COLUMNS, "rows": rows, "csv": csv}


def _row(cells: list[str], contender: Contender, href: str) -> dict[str, Any]:
    return {"cells": cells, "masked": contender.mask is not None, "href": href}


def _several_weights(contenders: Iterable[Contender]) -> set[str]:
    """Return the names that more than one set of weights has."""
    known: dict[str, set[str | None]] = {}
    for contender in contenders:
        known.setdefault(contender.model, set()).add(contender.fingerprint)
    return {name for name, fingerprints in known.items() if len(fingerprints) > 1}


def _label(contender: Contender, several: set[str]) -> str:
    """Return the name of a row; models of one name are told apart by their weights."""
    if contender.model not in several:
        return contender.name
    return f"{contender.name} · {(contender.fingerprint or 'unknown weights')[:15]}"
