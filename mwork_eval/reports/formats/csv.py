"""The report as CSV: tidy, one number with its interval a row."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.results.detector_tables import DetectorTable, read_detector_tables
from mwork_eval.results.doses import Dose, read_doses
from mwork_eval.results.language_intervals import language_changes
from mwork_eval.results.set_draws import SetDraws, read_set_draws
from mwork_eval.results.squares import Square, read_squares
from mwork_eval.results.tables import CellRow, DeltaTable, Results
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.statistics.spread import Spread

COLUMNS = (
    *("folder", "model", "preset", "task", "metric", "unit"),
    *("setting", "mask_language", "language", "seed", "neurons", "draw", "quantity", "value", "low", "high"),
)
Row = dict[str, Any]


def as_csv(*results: Results) -> str:
    """Return a header line and a line per number; `docs/formats.md` describes the columns.

    Numbers that are not there (cells not computed, p-values not to be had) have no line.
    """
    text = io.StringIO()
    lines = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    lines.writeheader()
    for one in results:
        lines.writerows(tidy_rows(one))
    return text.getvalue()


def tidy_rows(results: Results) -> Iterator[Row]:
    """Yield a row per number of a results folder, by some of `COLUMNS`; numbers that are not there have none."""
    yield from (row for row in _rows(results) if row["value"] is not None)


def _rows(results: Results) -> Iterator[Row]:
    whose = {"folder": results.folder, "model": results.manifest.model}
    for table in results.tables:
        cells = [cell for cell in results.cells if (cell.preset, cell.task) == (table.preset, table.task)]
        start = whose | {"preset": table.preset, "task": table.task, "metric": table.metric, "unit": table.unit}
        for row in (*_table_rows(table), *_setting_rows(table, cells), *_language_rows(results, table)):
            yield start | row
        for cell in cells:
            yield start | _where(cell) | {"quantity": "score", "value": cell.score}
    for square in read_squares(results):
        yield from (whose | _table(square) | row for row in _square_rows(square))
    for dose in read_doses(results):
        yield from (whose | _table(dose) | {"setting": dose.setting} | row for row in _dose_rows(dose))
    for draws in read_set_draws(results):
        yield from (whose | _table(draws) | row for row in _drawn_rows(draws))
    for detectors in read_detector_tables(results):
        start = whose | {"task": detectors.task, "metric": detectors.metric, "unit": detectors.unit}
        yield from (start | {"setting": detectors.setting} | row for row in _detector_rows(detectors))


def _where(cell: CellRow) -> Row:
    return {
        "setting": cell.setting,
        "mask_language": cell.mask_language,
        "language": cell.language,
        "seed": cell.seed,
        "neurons": cell.neurons,
        "draw": cell.draw,
    }


def _table(part: Square | Dose | SetDraws) -> Row:
    return {"preset": part.preset, "task": part.task, "metric": part.metric, "unit": part.unit}


def _square_rows(square: Square) -> Iterator[Row]:
    for setting, effects in ((square.setting, square.effects), (square.control, square.random)):
        if effects is None:
            continue
        for mask in square.masks:
            start = {"setting": setting, "mask_language": mask}
            for language in square.languages:
                change = _estimated(effects.changes[mask][language])
                yield start | {"language": language, "quantity": "cross_change"} | change
            yield start | {"quantity": "specificity"} | _estimated(effects.specificity[mask])
        yield {"setting": setting, "quantity": "specificity"} | _estimated(effects.mean_specificity)
    if square.spread is not None:
        start = {"setting": square.control, "quantity": "cross_change_range"}
        for language, spread in square.spread.changes.items():
            yield start | {"language": language} | _ranged(spread)
        yield start | {"quantity": "specificity_range"} | _ranged(square.spread.specificity)


def _ranged(spread: Spread) -> Row:
    return {"value": spread.mean, "low": spread.low, "high": spread.high}


def _dose_rows(dose: Dose) -> Iterator[Row]:
    names = {"own": "own", "english": Pivot(dose.pivot).role, "delta": "delta"}
    for point in dose.points:
        start = {"mask_language": point.language, "neurons": point.count}
        for name, key in names.items():
            yield start | {"quantity": f"dose_{key}"} | _estimated(getattr(point, name))
            if point.control is not None:
                random = start | {"setting": dose.control, "quantity": f"dose_{key}_range"}
                yield random | _ranged(getattr(point.control, name))


def _drawn_rows(draws: SetDraws) -> Iterator[Row]:
    for row in draws.rows:
        start = {"setting": row.setting}
        yield start | {"quantity": "delta_of_set_draws"} | _ranged(row.sets.spread)
        yield start | {"quantity": "standard_error_over_sets", "value": row.sets.standard_error}
        yield start | {"quantity": "set_draws", "unit": "draws", "value": len(row.sets.by_draw)}
        yield start | {"quantity": "set_overlap", "unit": "", "value": row.overlap}


def _detector_rows(table: DetectorTable) -> Iterator[Row]:
    names = {"own": "own", "english": Pivot(table.pivot).role, "delta": "delta"}
    for row in table.rows:
        start = {"preset": row.detector, "mask_language": row.language, "neurons": row.neurons}
        for name, key in names.items():
            yield start | {"quantity": f"detector_{key}"} | _estimated(getattr(row, name))
            if row.control is not None:
                random = start | {"setting": table.control, "quantity": f"detector_{key}_range"}
                yield random | _ranged(getattr(row.control, name))
        yield start | {"quantity": "detector_p", "unit": "", "value": row.p}
        yield start | {"quantity": "detector_p_holm", "unit": "", "value": row.p_holm}
        if row.difference is not None:
            yield start | {"quantity": f"detector_delta_from_{table.first}"} | _estimated(row.difference)
    for overlap in table.overlaps:
        for one, of_one in overlap.jaccard.items():
            for other, value in of_one.items():
                start = {"preset": one, "mask_language": overlap.language, "unit": ""}
                yield start | {"quantity": f"detector_overlap_with_{other}", "value": value}


def _table_rows(table: DeltaTable) -> Iterator[Row]:
    yield {"quantity": "detectable", "value": table.detectable}
    for language, count in table.counts.items():
        yield {"mask_language": language, "quantity": "neurons", "unit": "neurons", "value": count}
    for language, count in table.documents.items():
        yield {"language": language, "quantity": "documents", "unit": "documents", "value": count}
        yield {"language": language, "quantity": "clusters", "unit": "clusters", "value": table.clusters[language]}
    for language, count in table.truncated.items():
        yield {"language": language, "quantity": "truncated", "unit": "documents", "value": count}


def _setting_rows(table: DeltaTable, cells: list[CellRow]) -> Iterator[Row]:
    keys = Pivot(table.pivot).keys
    for row in table.rows:
        delta, comparison, start = row.delta, row.comparison, {"setting": row.name}
        if delta is None:
            continue
        yield start | {"quantity": keys["eng"], "value": delta.eng}
        yield start | {"quantity": keys["non_eng"], "value": delta.non_eng}
        for name in ("delta_eng", "delta_non_eng", "delta"):
            yield start | {"quantity": keys.get(name, name)} | _estimated(getattr(delta, name))
        if delta.by_seed:
            ends = {"low": min(delta.by_seed), "high": max(delta.by_seed)}
            yield start | {"quantity": "delta_of_draws", "value": delta.delta.value} | ends
        seeds = dict.fromkeys(cell.seed for cell in cells if cell.setting == row.name)
        for seed, value in zip(seeds, delta.by_seed, strict=False):  # a setting without seeds has no ∆ by seed
            yield start | {"seed": seed, "quantity": "delta", "value": value}
        if comparison is not None:
            yield start | {"quantity": "difference_from_control", "value": comparison.difference}
            yield start | {"quantity": "standard_error_of_difference", "value": comparison.standard_error}
            yield start | {"quantity": "draws", "unit": "draws", "value": comparison.draws}
            yield start | {"quantity": "p", "unit": "", "value": comparison.p}
            yield start | {"quantity": "p_holm", "unit": "", "value": comparison.p_holm}


def _language_rows(results: Results, table: DeltaTable) -> Iterator[Row]:
    for setting, changes in language_changes(results, table).items():
        for change in changes:
            start = {"setting": setting, "mask_language": change.language, "quantity": "change"}
            yield start | {"language": change.language} | _estimated(change.own)
            yield start | {"language": table.pivot} | _estimated(change.english)


def _estimated(estimate: Estimate) -> Row:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
