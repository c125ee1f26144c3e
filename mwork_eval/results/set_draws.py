"""How much ∆ depends on the detection documents, read from a results folder."""

from collections.abc import Iterator
from dataclasses import dataclass

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.set_spread import SetSpread, set_spread
from mwork_eval.results.table_cells import Scores, TableCells, check_alike, masked_scores, read_tables
from mwork_eval.results.tables import DeltaTable, Results
from mwork_eval.statistics.resampling import Estimate


@dataclass(frozen=True)
class DrawnRow:
    """A language-specific row of a table with the sets of random halves of the detection documents.

    Attributes:
        setting: Name of the row.
        delta: ∆ with the sets of all documents; its interval is over the documents of the benchmark.
        sets: ∆ with the sets of the halves.
        overlap: Mean Jaccard index, over draws and languages, of what a draw and the table deactivate.
        intervention: What the row does to neurons; `zero` deactivates them.
    """

    setting: str
    delta: Estimate
    sets: SetSpread
    overlap: float
    intervention: str = "zero"


@dataclass(frozen=True)
class SetDraws:
    """A table's language-specific rows with the sets of random halves of the detection documents.

    Attributes:
        preset: Name of the preset.
        task: The benchmark.
        metric: Main metric.
        unit: Unit of ∆.
        languages: Mask languages averaged over.
        rows: The rows with a draw that is computed.
        pivot: The language that the others are compared with.
    """

    preset: str
    task: str
    metric: str
    unit: str
    languages: tuple[str, ...]
    rows: tuple[DrawnRow, ...]
    pivot: str = ENGLISH


def read_set_draws(results: Results) -> Iterator[SetDraws]:
    """Yield, per table of a folder, its rows with the draws that are computed; none without `--set-draws`.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    drawn = {(one.preset.name, one.task): one for one in read_tables(results.manifest, results.scores, "draws")}
    for table in results.tables:
        if (cells := drawn.get((table.preset, table.task))) and (rows := tuple(_rows(table, cells, results.scores))):
            yield SetDraws(table.preset, table.task, table.metric, table.unit, table.languages, rows, table.pivot)


def _rows(table: DeltaTable, cells: TableCells, scores: Scores) -> Iterator[DrawnRow]:
    for row in table.rows:
        of_row = cells.of_row(row.name)
        masked = {
            draw: masked_scores([cell for cell in of_row if cell.draw == draw], scores, cells.pivot)
            for draw in sorted({cell.draw for cell in of_row if cell.draw is not None})
        }
        computed = {draw: of_draw for draw, of_draw in masked.items() if of_draw}
        if row.delta is None or not computed:
            continue
        check_alike(f"{row.name}, {table.preset} on {table.task}, with drawn sets", *computed.values())
        overlaps = [
            cells.preset.draw_overlaps[row.name][language][n - 1] for language in table.languages for n in computed
        ]
        sets = set_spread(cells.baseline, row.delta.delta.value, list(computed.values()), table.pivot)
        yield DrawnRow(row.name, row.delta.delta, sets, sum(overlaps) / len(overlaps), row.intervention)
