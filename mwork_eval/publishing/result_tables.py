"""What a card says of results: tables of ∆, of detectors, of scores and of deltas."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.publishing.asked import asked_in_words
from mwork_eval.publishing.contents import Contents, Matrix, PublishedRun
from mwork_eval.publishing.set_tables import last_part
from mwork_eval.reports import detector_wording, wording
from mwork_eval.reports.legend import legends
from mwork_eval.reports.markdown_text import Markdown, escape, paragraph, table
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.tables import DeltaTable

_LEFT_OUT = ("under", "s-attn", "s-ffn", "gen", "control", "p")
"""Columns of a report's table that a card does without; the report in the repository has them."""


def matrix_parts(matrix: Matrix) -> Iterator[str]:
    """Yield what a card says of a results folder: its tables of detectors and of ∆ with what must stand beside them."""
    for detectors in read_detector_tables(matrix.results):
        yield f"### {escape(detector_wording.title(detectors))}"
        yield table(detector_wording.columns(detectors), detector_wording.rows(detectors))
        yield paragraph(detector_wording.notes(detectors))
    for one in matrix.results.tables:
        yield f"### {escape(wording.title(one))}"
        yield _delta_table(one)
        yield paragraph(wording.notes(one))
    if matrix.results.unfinished:
        yield f"**{matrix.results.unfinished} cells of it are not computed yet.**"


def legend_of(contents: Contents) -> str:
    """Return what the columns of the tables mean."""
    return paragraph(legends([matrix.results for matrix in contents.matrices]))


def _delta_table(one: DeltaTable) -> str:
    columns = wording.delta_columns(Pivot(one.pivot))
    kept = [number for number, column in enumerate(columns) if column not in _LEFT_OUT]
    rows = (wording.delta_cells(row, one) for row in one.rows)
    return table([columns[number] for number in kept], ([cells[number] for number in kept] for cells in rows))


def score_table(runs: Sequence[PublishedRun]) -> str:
    """Return the scores that lm-eval gave, with what was deactivated for each."""
    columns = ("task", "metric", "documents", "deactivated", "score", "asked")
    rows = []
    for run in runs:
        for score in run.scores:
            error = "" if score.error is None else f" ± {wording.number(score.error, score.unit)}"
            rows.append(
                [
                    score.task,
                    score.metric,
                    str(score.documents),
                    _mask(run, score.contender.mask),
                    f"{wording.number(score.value, score.unit)}{error} {score.unit}",
                    asked_in_words(score) or "as the task says",
                ]
            )
    return table(columns, rows)


def _mask(run: PublishedRun, mask: str | None) -> str:
    parts = [] if mask is None else [mask]
    if run.file.mwork.masked is not None and (neurons := run.file.mwork.masked.neurons):
        parts = [part.replace(neurons, last_part(neurons)) for part in parts]
    if run.file.mwork.delta is not None:
        parts.append(f"nothing, with delta {run.file.mwork.delta.digest[:8]}" if not parts else "with a delta")
    return "; ".join(parts) or "nothing"


def delta_file_table(deltas: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of trained values: of what, and of how many documents."""
    rows = [
        [
            Markdown(f"`{path.removeprefix('deltas/')}`"),
            _joined(about.get("languages") or about.get("language")),
            str(about.get("kind", "?")),
            str(about.get("documents", "?")),
        ]
        for path, about in deltas.items()
    ]
    return table(("file", "language", "neurons", "documents"), rows)


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "?")
