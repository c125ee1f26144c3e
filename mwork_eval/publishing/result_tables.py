"""What a card says of results: tables of ∆, of detectors, of scores and of deltas."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.publishing.contents import Contents, Matrix, PublishedRun
from mwork_eval.reports import detector_wording, wording
from mwork_eval.reports.intervention_wording import done_by_all
from mwork_eval.reports.legend import legends
from mwork_eval.reports.markdown_text import Markdown, escape, paragraph, table
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.summaries.shown_names import shown_name
from mwork_eval.results.tables import DeltaTable

_LEFT_OUT = ("under", "s-attn", "s-ffn", "gen", "control", "p")
_SHOWN_FIRST = "LS all"
"""Columns of a report's table that a card does without; the report in the repository has them."""


def matrix_parts(matrix: Matrix) -> Iterator[str]:
    """Yield what a card says of a results folder: its tables of detectors and of ∆ with what must stand beside them."""
    for detectors in read_detector_tables(matrix.results):
        yield f"### {escape(detector_wording.title(detectors))}"
        yield table(detector_wording.columns(detectors), detector_wording.rows(detectors))
        yield paragraph(detector_wording.notes(detectors))
    for one in matrix.results.tables:
        yield f"### {escape(wording.title(one))}"
        if said := finding(one):
            yield paragraph(said)
        yield _delta_table(one)
        yield paragraph(wording.notes(one))
    if matrix.results.unfinished:
        yield f"**{matrix.results.unfinished} cells of it are not computed yet.**"


def finding(one: DeltaTable) -> str | None:
    """Say in words what the first row does that is of a language's own neurons, beside its random control.

    The row of all positions goes before others; None while it is not computed.
    """
    own = sorted((row for row in one.rows if not row.random), key=lambda row: row.name != _SHOWN_FIRST)
    if not own or own[0].delta is None:
        return None
    row, delta, pivot = own[0], own[0].delta, Pivot(one.pivot)
    said = (
        f"{row.name}: with the neurons of a language {done_by_all([row.intervention])}, its score changes by "
        f"{wording.estimate(delta.delta_non_eng, one.unit)} {one.unit} on average, and that of {pivot.name} by "
        f"{wording.estimate(delta.delta_eng, one.unit)}"
    )
    control = None if row.comparison is None else row.comparison.control
    random = next((other.delta for other in one.rows if other.name == control), None)
    if random is not None:
        others, own_pivot = (wording.difference(x.value, one.unit) for x in (random.delta_non_eng, random.delta_eng))
        said += f"; with as many random ones ({control}) by {others} and {own_pivot}"
    return f"{said}. Negative is damage."


def legend_of(contents: Contents) -> str:
    """Return what the columns of the tables mean."""
    return paragraph(legends([matrix.results for matrix in contents.matrices]))


def _delta_table(one: DeltaTable) -> str:
    pivot = Pivot(one.pivot)
    columns = wording.delta_columns(pivot)
    left_out = (*_LEFT_OUT, pivot.score, pivot.others)
    kept = [number for number, column in enumerate(columns) if column not in left_out]
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
                    score.asked or "as the task says",
                ]
            )
    return table(columns, rows)


def _mask(run: PublishedRun, mask: str | None) -> str:
    parts = [] if mask is None else [mask]
    if run.file.mwork.masked is not None and (neurons := run.file.mwork.masked.neurons):
        parts = [part.replace(neurons, shown_name(neurons)) for part in parts]
    if run.file.mwork.delta is not None:
        parts.append(f"nothing, with delta {run.file.mwork.delta.digest[:8]}" if not parts else "with a delta")
    for name, value in run.put_in.items():
        parts.append(f"{'' if parts else 'nothing, '}with {name} {shown_name(value)}")
    return "; ".join(parts) or "nothing"


def delta_file_table(deltas: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of trained values: of what, and of how many documents."""
    rows = [
        [
            Markdown(f"`{path.removeprefix('deltas/').removesuffix(SUFFIX)}`"),
            _joined(about.get("languages") or about.get("language")),
            str(about.get("kind", "?")),
            str(about.get("documents", "?")),
        ]
        for path, about in deltas.items()
    ]
    return table(("name", "language", "neurons", "documents"), rows)


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "?")
