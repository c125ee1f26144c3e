"""The report as Markdown."""

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import (
    detector_wording,
    dose_wording,
    language_wording,
    set_draw_wording,
    square_wording,
    wording,
)
from mwork_eval.reports.legend import legends
from mwork_eval.reports.markdown_text import Markdown, escape, paragraph, table
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.doses import read_doses
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import DeltaTable, Results


def as_markdown(*results: Results) -> str:
    """Return the whole report, folder by folder: tables, notes, language scores, legend, and every cell."""
    return "\n".join(map(_report, results))


def _report(results: Results) -> str:
    parts = ["# Ablation report", paragraph(wording.summary(results))]
    for detectors in read_detector_tables(results):
        parts += [
            f"## {escape(detector_wording.title(detectors))}",
            paragraph(detector_wording.finding(detectors)),
            table(detector_wording.columns(detectors), detector_wording.rows(detectors)),
            paragraph(detector_wording.notes(detectors)),
        ]
        for overlap in detectors.overlaps:
            parts += [
                f"### {escape(detector_wording.overlap_title(overlap, detectors))}",
                table(detector_wording.overlap_columns(overlap), detector_wording.overlap_rows(overlap)),
            ]
        parts.append(paragraph(detector_wording.OVERLAP_NOTES))
    for one in results.tables:
        parts += [
            f"## {escape(wording.title(one))}",
            table(wording.delta_columns(Pivot(one.pivot)), (wording.delta_cells(row, one) for row in one.rows)),
            paragraph(wording.notes(one)),
            f"### {escape(language_wording.title(one))}",
            _language_table(one),
        ]
    for square in read_squares(results):
        rows = square_wording.rows(square, intervals=True)
        parts += [
            f"## {escape(square_wording.title(square))}",
            table(square_wording.columns(square), (square_wording.emphasised(row, _strong) for row in rows)),
            paragraph(square_wording.notes(square)),
        ]
    for dose in read_doses(results):
        parts += [
            f"## {escape(dose_wording.title(dose))}",
            table(dose_wording.columns(dose), dose_wording.rows(dose, intervals=True)),
            paragraph(dose_wording.notes(dose)),
        ]
    for draws in read_set_draws(results):
        parts += [
            f"## {escape(set_draw_wording.title(draws))}",
            table(set_draw_wording.COLUMNS, set_draw_wording.rows(draws)),
            paragraph(set_draw_wording.notes(draws)),
        ]
    parts += [paragraph(legends([results]))]
    if results.unfinished:
        parts.append(f"**{results.unfinished} cells are not computed yet.**")
    parts += ["## Every cell", table(wording.CELL_COLUMNS, map(wording.cell_cells, results.cells))]
    return "\n\n".join(parts) + "\n"


def _language_table(found: DeltaTable) -> str:
    rows = language_wording.language_rows(found)
    if not language_wording.has_answers(found):
        return table(language_wording.columns(found), (language_wording.cells(*row, found) for row in rows))
    return table(
        language_wording.columns(found) + language_wording.ANSWER_COLUMNS,
        (language_wording.cells(*row, found) + language_wording.answer_cells(row[-1]) for row in rows),
    )


def _strong(cell: str) -> str:
    return Markdown(f"**{escape(cell)}**")
