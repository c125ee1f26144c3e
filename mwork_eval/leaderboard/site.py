"""A leaderboard as a static site: an index, a page per benchmark and per model, and the numbers as CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import find_language
from mwork_eval.leaderboard import detectors, tables
from mwork_eval.leaderboard.board import Board, BoardBenchmark, Model, slug_of
from mwork_eval.leaderboard.feed import NewsEntry, news_of, render_feed
from mwork_eval.leaderboard.front import front_values, row_slug
from mwork_eval.leaderboard.model_parts import facts_of, profile_values, profiles_of
from mwork_eval.leaderboard.naming import label_of, several_weights
from mwork_eval.leaderboard.profile import NeuronProfile, ReadProfile, read_profile
from mwork_eval.reports import detector_wording
from mwork_eval.reports.html.environment import assets, page_environment
from mwork_eval.reports.intervention_wording import ZERO, done_by_all
from mwork_eval.results.summaries.entries import ComparedDetectors, Contender, FolderFacts, RowEffect, Score
from mwork_eval.results.summaries.folders import Bar, no_bar

_PACKAGE = "mwork_eval.leaderboard"
_STYLES = ((_PACKAGE, "site.css"),)
_RANKING = ("site", "student", "ranking")
_NEWS = 20
"""Entries on the first page."""
_LISTED = 12
"""Languages that are named one by one."""
_PAGE = "index.html"
_TEXT_COLUMNS = frozenset(
    {"benchmarks", "languages", "language", "stage", "row", "table", "mask", "metric", "unit", "weights", "shown"}
)
"""Columns that hold words; they are read from the left and may take several lines."""


def _silent(text: str) -> None:
    """Say nothing."""


def render_site(board: Board, bar: Bar = no_bar, tell: Callable[[str], Any] = _silent) -> dict[str, bytes]:
    """Render every page, with its numbers as CSV.

    Args:
        board: What to show.
        bar: Shows progress, page by page.
        tell: Takes, in a line each, what of a model's neurons cannot be read.

    Returns:
        By path below the site, the content of each file; the index comes last.
    """
    read = _read_profiles(board)
    profiles = {place: found.profile for place, found in read.items() if found.profile is not None}
    files, pages, news = _numbers(board), _Pages(), news_of(board)
    models = {model.name: model for model in board.models}
    front = front_values(board, profiles)
    faults = list(dict.fromkeys(fault for found in read.values() for fault in found.faults))
    for fault in faults:
        tell(fault)
    index = pages.index(board, front, news, faults)
    lenses: dict[str, Sequence[Mapping[str, Any]]] = {}
    for (name, _), found in read.items():
        lenses[name] = lenses.get(name) or found.lenses
    with bar("render", len(board.benchmarks) + len(board.models)) as advance:
        for benchmark in board.benchmarks:
            files |= pages.benchmark(benchmark, models)
            advance(slug_of(benchmark.name), 1)
        for model in board.models:
            files |= pages.model(model, board, profiles, lenses.get(model.name, ()))
            files |= {f"{_folder_of(model)}{one.csv}": one.numbers() for one in profiles_of(model, profiles)}
            advance(model.slug, 1)
    return files | pages.compare(front) | {"feed.xml": render_feed(news)} | index


def _read_profiles(board: Board) -> dict[tuple[str, str | None], ReadProfile]:
    """Read where the neurons of every model sit, by name and fingerprint."""
    found: dict[tuple[str, str | None], list[FolderFacts]] = {}
    for model in board.models:
        for facts in model.facts:
            who = board.same.get(facts.contender, facts.contender)
            found.setdefault((who.model, who.fingerprint), []).append(facts)
    return {place: read_profile(of_place) for place, of_place in found.items()}


def _numbers(board: Board) -> dict[str, bytes]:
    """Return the CSV files of every page, by path below the site."""
    files = _csv_files(
        "",
        [score for model in board.models for score in model.scores],
        [change for model in board.models for change in model.changes],
    )
    for model in board.models:
        files |= _csv_files(_folder_of(model), model.scores, model.changes)
        for number, one in enumerate(model.detectors, 1):
            fields, records = detectors.detector_fields(Pivot(one.table.pivot)), detectors.detector_records([one])
            files[f"{_folder_of(model)}{detectors.file_of(number)}"] = tables.as_csv(fields, records)
    for benchmark in board.benchmarks:
        scores = [(score, True) for of_column in benchmark.scores.values() for score in of_column.values()]
        changes = [(change, True) for group in benchmark.groups for change in group.changes.values()]
        files |= _csv_files(_folder_of(benchmark), scores, changes)
    return files


def _csv_files(
    folder: str, scores: Sequence[tuple[Score, bool]], changes: Sequence[tuple[RowEffect, bool]]
) -> dict[str, bytes]:
    of_scores = tables.score_records(scores)
    fields = tuple(of_scores[0]) if of_scores else tables.SCORE_FIELDS
    files = {f"{folder}scores.csv": tables.as_csv(fields, of_scores)}
    for pivot, entries in tables.changes_by_pivot(changes).items():
        records = (tables.change_record(*one) for one in entries)
        files[f"{folder}{tables.changes_file(pivot, 'csv')}"] = tables.as_csv(tables.change_fields(pivot), records)
    return files


def _folder_of(subject: BoardBenchmark | Model) -> str:
    return f"models/{subject.slug}/" if isinstance(subject, Model) else f"tasks/{slug_of(subject.name)}/"


class _Pages:
    """Renders pages, by path below the site."""

    def __init__(self) -> None:
        self._templates = page_environment(_PACKAGE)
        self._plain = assets((_PACKAGE, "site.js"), styles=_STYLES)
        self._front = assets(
            *((_PACKAGE, f"{name}.js") for name in (*_RANKING, "choices", "cells", "front")), styles=_STYLES
        )
        self._compare = assets(*((_PACKAGE, f"{name}.js") for name in (*_RANKING, "compare")), styles=_STYLES)

    def index(
        self, board: Board, front: Mapping[str, Any], news: Sequence[NewsEntry], faults: Sequence[str]
    ) -> dict[str, bytes]:
        return self._page(
            "index.html",
            "",
            self._front,
            front=front,
            news=[
                {"date": entry.date, "model": entry.model, "href": entry.href, "text": entry.text}
                for entry in news[:_NEWS]
            ],
            skipped=[*board.skipped, *faults],
            benchmarks=[
                {
                    "name": one.name,
                    "href": f"{_folder_of(one)}{_PAGE}",
                    "about": _about(one),
                }
                for one in board.benchmarks
            ],
            counts={
                "models": len(board.models),
                "scores": sum(len(model.scores) for model in board.models),
                "changes": sum(len(model.changes) for model in board.models),
            },
        )

    def compare(self, front: Mapping[str, Any]) -> dict[str, bytes]:
        return self._page("compare.html", "compare/", self._compare, front=front)

    def benchmark(self, benchmark: BoardBenchmark, models: Mapping[str, Model]) -> dict[str, bytes]:
        def link(contender: Contender) -> str:
            return f"../../models/{models[contender.model].slug}/index.html"

        columns, scores = tables.score_rows(benchmark)
        shown = [(change, True) for group in benchmark.groups for change in group.changes.values()]
        several = several_weights(benchmark.contenders)
        lower = {column.metric.partition(",")[0] for column in benchmark.columns if not column.higher_is_better}
        return self._page(
            "benchmark.html",
            _folder_of(benchmark),
            self._plain,
            name=benchmark.name,
            english=Pivot(),
            done=_done(change for change, _ in shown),
            better=f"Lower is better for {', '.join(sorted(lower))}." if lower else "Higher is better.",
            scores=_table(
                f"Scores on {benchmark.name}",
                ["model", *columns],
                [_row([label_of(who, several), *texts], who, link(who)) for who, texts in scores],
                "scores.csv",
            ),
            changes={
                pivot: _table(
                    f"Changes on {benchmark.name}{_against(pivot)}",
                    ["model", *tables.change_columns(pivot)],
                    [
                        _row([label_of(who, several), *texts], who, link(who))
                        for who, texts in tables.change_rows([g for g in benchmark.groups if g.pivot == pivot.tag])
                    ],
                    tables.changes_file(pivot, "csv"),
                )
                for pivot in tables.changes_by_pivot(shown)
            },
        )

    def model(
        self,
        model: Model,
        board: Board,
        profiles: Mapping[tuple[str, str | None], NeuronProfile],
        lenses: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        entries: list[Score | RowEffect] = [score for score, _ in model.scores]
        entries += [change for change, _ in model.changes]
        score_rows = [
            _row(
                [score.task, score.contender.mask or "", *texts],
                who,
                f"../../tasks/{slug_of(score.benchmark)}/index.html",
            )
            for (score, _), (who, texts) in zip(model.scores, tables.model_score_rows(model), strict=True)
        ]
        own = profiles_of(model, profiles)
        return self._page(
            "model.html",
            _folder_of(model),
            self._plain,
            name=model.name,
            done=_done(change for change, _ in model.changes),
            facts=facts_of(model, own[0].profile if own else None),
            profile=profile_values(own, model.name) if own else None,
            lenses=lenses,
            compare=f"../../compare/{_PAGE}#a={row_slug(_own_row(model, board))}",
            folders=list(dict.fromkeys(str(entry.folder) for entry in entries)),
            weights=sorted({entry.contender.fingerprint for entry in entries if entry.contender.fingerprint}),
            scores=_table(
                f"Scores of {model.name}",
                ["task", "mask", "metric", "score", "95 %", "unit", "documents", "weights", "shown"],
                score_rows,
                "scores.csv",
            ),
            changes={
                pivot: _table(
                    f"Changes of {model.name}{_against(pivot)}",
                    ["benchmark", *tables.change_columns(pivot), "shown"],
                    [_change_row(*change) for change in changes],
                    tables.changes_file(pivot, "csv"),
                )
                for pivot, changes in tables.changes_by_pivot(model.changes).items()
            },
            detectors=[_detectors(one, number) for number, one in enumerate(model.detectors, 1)],
        )

    def _page(self, template: str, folder: str, shared: Mapping[str, Any], **values: Any) -> dict[str, bytes]:
        text = self._templates.get_template(template).render(**shared, **values)
        return {f"{folder}{_PAGE}": text.encode("utf-8", "replace")}


def _table(label: str, columns: list[str], rows: list[dict[str, Any]], csv: str) -> dict[str, Any]:
    return {"label": label, "columns": columns, "texts": _TEXT_COLUMNS, "rows": rows, "csv": csv}


def _detectors(one: ComparedDetectors, number: int) -> dict[str, Any]:
    """Return a comparison of detectors as the page shows it; its rows lead nowhere."""
    rows = [_row(row, one.contender, "") for row in detector_wording.stacked_rows(one.table)]
    columns = list(detector_wording.columns(one.table))
    title = detector_wording.title(one.table)
    return {
        "title": title,
        "folder": one.folder,
        "finding": detector_wording.finding(one.table),
        "table": _table(title, columns, rows, detectors.file_of(number)),
        "notes": detector_wording.notes(one.table),
    }


def _change_row(change: RowEffect, shown: bool) -> dict[str, Any]:
    return _row(
        [change.benchmark, change.setting, *tables.change_texts(change), "yes" if shown else "older"],
        change.contender,
        f"../../tasks/{slug_of(change.benchmark)}/index.html",
    )


def _about(benchmark: BoardBenchmark) -> str:
    """Return how many rows a benchmark has, and in which languages."""
    rows = len(benchmark.contenders)
    tags = dict.fromkeys(column.language for column in benchmark.columns if column.language is not None)
    named = [find_language(tag).name for tag in tags]
    where = f" in {', '.join(named) if len(named) <= _LISTED else f'{len(named)} languages'}" if named else ""
    return f"{rows:,} row{'s' if rows != 1 else ''}{where}"


def _against(pivot: Pivot) -> str:
    return "" if pivot.is_english else f" against {pivot.name}"


def _row(cells: list[str], contender: Contender, href: str) -> dict[str, Any]:
    return {"cells": cells, "masked": contender.mask is not None, "href": href}


def _done(changes: Iterable[RowEffect]) -> str:
    """Return in words what was done to neurons."""
    return done_by_all([change.intervention for change in changes if not change.random] or [ZERO])


def _own_row(model: Model, board: Board) -> Contender:
    """Return the row of a model that stands for it in a link: without a mask, if there is one, and the newest."""
    entries: list[Score | RowEffect] = [score for score, _ in model.scores]
    entries += [change for change, _ in model.changes]
    entries.sort(key=lambda entry: (entry.contender.mask is not None, -entry.time))
    return board.same.get(entries[0].contender, entries[0].contender)
