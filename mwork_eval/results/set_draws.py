"""How much ∆ depends on the detection documents, read from a results folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mwork_eval.results.set_spread import SetSpread, set_spread
from mwork_eval.results.squares import baseline_scores
from mwork_eval.results.tables import DeltaTable, Results, masked_scores
from mwork_eval.statistics.resampling import Estimate


@dataclass(frozen=True)
class DrawnRow:
    """A language-specific row of a table with the sets of random halves of the detection documents.

    Attributes:
        setting: Name of the row.
        delta: ∆ with the sets of all documents; its interval is over the documents of the benchmark.
        sets: ∆ with the sets of the halves.
        overlap: Mean Jaccard index, over draws and languages, of what a draw and the table deactivate.
    """

    setting: str
    delta: Estimate
    sets: SetSpread
    overlap: float


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
    """

    preset: str
    task: str
    metric: str
    unit: str
    languages: tuple[str, ...]
    rows: tuple[DrawnRow, ...]


def read_set_draws(results: Results) -> Iterator[SetDraws]:
    """Yield, per table of a folder, its rows with the draws that are computed; none without `--set-draws`.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    presets = {preset["name"]: preset for preset in results.manifest["presets"]}
    for table in results.tables:
        if rows := tuple(_rows(table, presets[table.preset], results)):
            yield SetDraws(table.preset, table.task, table.metric, table.unit, table.languages, rows)


def _rows(table: DeltaTable, preset: Mapping[str, Any], results: Results) -> Iterator[DrawnRow]:
    entries = results.cells_of(table, "draws")
    baseline = baseline_scores(results.cells_of(table), results.scores)
    for row in table.rows:
        masked = {
            draw: masked_scores([e for e in entries if (e["setting"], e["draw"]) == (row.name, draw)], results.scores)
            for draw in sorted({entry["draw"] for entry in entries if entry["setting"] == row.name})
        }
        computed = {draw: scores for draw, scores in masked.items() if scores}
        if baseline is None or row.delta is None or not computed:
            continue
        overlaps = [
            preset["draw_overlaps"][row.name][language][n - 1] for language in table.languages for n in computed
        ]
        sets = set_spread(baseline, row.delta.delta.value, list(computed.values()))
        yield DrawnRow(row.name, row.delta.delta, sets, sum(overlaps) / len(overlaps))
