"""The report as Markdown."""

from collections.abc import Iterable, Sequence

from mwork_eval.reports import dose_wording, language_wording, set_draw_wording, square_wording, wording
from mwork_eval.results.doses import read_doses
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import DeltaTable, Results


def as_markdown(*results: Results) -> str:
    """Return the whole report, folder by folder: tables, notes, language scores, legend, and every cell."""
    return "\n".join(map(_report, results))


def _report(results: Results) -> str:
    parts = ["# Ablation report", wording.summary(results)]
    for table in results.tables:
        parts += [
            f"## {wording.title(table)}",
            _table(wording.DELTA_COLUMNS, (wording.delta_cells(row, table) for row in table.rows)),
            wording.notes(table),
            f"### {language_wording.title(table)}",
            _language_table(table),
        ]
    for square in read_squares(results):
        rows = square_wording.rows(square, intervals=True)
        parts += [
            f"## {square_wording.title(square)}",
            _table(square_wording.columns(square), (square_wording.emphasised(row, "**{}**".format) for row in rows)),
            square_wording.notes(square),
        ]
    for dose in read_doses(results):
        parts += [
            f"## {dose_wording.title(dose)}",
            _table(dose_wording.COLUMNS, dose_wording.rows(dose, intervals=True)),
            dose_wording.notes(dose),
        ]
    for draws in read_set_draws(results):
        parts += [
            f"## {set_draw_wording.title(draws)}",
            _table(set_draw_wording.COLUMNS, set_draw_wording.rows(draws)),
            set_draw_wording.notes(draws),
        ]
    parts += [wording.LEGEND]
    if results.unfinished:
        parts.append(f"**{results.unfinished} cells are not computed yet.**")
    parts += ["## Every cell", _table(wording.CELL_COLUMNS, map(wording.cell_cells, results.cells))]
    return "\n\n".join(parts) + "\n"


def _language_table(table: DeltaTable) -> str:
    rows = language_wording.language_rows(table)
    if not language_wording.has_answers(table):
        return _table(language_wording.COLUMNS, (language_wording.cells(*row, table) for row in rows))
    return _table(
        language_wording.COLUMNS + language_wording.ANSWER_COLUMNS,
        (language_wording.cells(*row, table) + language_wording.answer_cells(row[-1]) for row in rows),
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
