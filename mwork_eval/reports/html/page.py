"""Put the numbers, figures and answers of a report into one HTML file."""

import json
from typing import Any

from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.stages import Stages
from mwork_eval.reports import (
    detector_wording,
    dose_wording,
    language_wording,
    set_draw_wording,
    square_wording,
    wording,
)
from mwork_eval.reports.html import figures
from mwork_eval.reports.html.detectors import detector_curves, detector_key
from mwork_eval.reports.html.dose import dose_curves
from mwork_eval.reports.html.environment import HERE, assets, page_environment
from mwork_eval.reports.html.lens import lens_parts
from mwork_eval.reports.html.square import square_map
from mwork_eval.reports.legend import legends
from mwork_eval.reports.summary import certainty_legend, finding
from mwork_eval.results.answers import MOST_ROWS, SampleAnswers, read_answers
from mwork_eval.results.detector_tables import DetectorTable, read_detector_tables
from mwork_eval.results.doses import Dose, read_doses
from mwork_eval.results.language_intervals import language_changes
from mwork_eval.results.manifest import PARTS, Manifest
from mwork_eval.results.sample_text import ANSWER_LENGTH, PROMPT_LENGTH
from mwork_eval.results.set_counts import COMPONENTS, SetCounts, count_recorded
from mwork_eval.results.set_draws import SetDraws, read_set_draws
from mwork_eval.results.squares import Square, read_squares
from mwork_eval.results.tables import DeltaTable, Results


def as_html(*results: Results) -> str:
    """Return a page about the results of one folder or more; it loads nothing and runs no script but its own.

    Raises:
        InputError: If a stored cell or neuron set is damaged.
    """
    return (
        page_environment()
        .get_template("page.html")
        .render(
            reports=[_report(one, max(1, MOST_ROWS // len(results))) for one in results],
            legend=legends(results),
            certainty=certainty_legend(),
            **assets((HERE, "answers.js")),
        )
    )


def _report(results: Results, most_rows: int) -> dict[str, Any]:
    manifest, squares, detectors = results.manifest, list(read_squares(results)), list(read_detector_tables(results))
    return {
        "folder": results.folder,
        "model": manifest.model,
        "summary": wording.summary(results),
        "unfinished": results.unfinished,
        "command": wording.command(results),
        "findings": [
            *map(detector_wording.finding, detectors),
            *map(finding, results.tables),
            *map(square_wording.finding, squares),
        ],
        "detectors": [_detectors(table) for table in detectors],
        "tables": [_table(table, results) for table in results.tables],
        "squares": [_square(square) for square in squares],
        "doses": [_dose(dose) for dose in read_doses(results)],
        "set_draws": [_set_draws(draws) for draws in read_set_draws(results)],
        "sets": _sets(count_recorded(results), manifest.stages),
        "lenses": lens_parts(results.folder),
        "answers": _answers(read_answers(results, most_rows)),
        "cells": {"columns": wording.CELL_COLUMNS, "rows": [wording.cell_cells(row) for row in results.cells]},
        "manifest": json.dumps(_brief(manifest), indent=1, ensure_ascii=False),
    }


def _brief(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest without its lists of cells, which are long."""
    values = manifest.to_values()
    return values | {part: f"{len(values[part])} cells, in manifest.json" for part in PARTS if part in values}


def _table(table: DeltaTable, results: Results) -> dict[str, Any]:
    rows = language_wording.language_rows(table)
    with_answers = language_wording.has_answers(table)
    return {
        "title": wording.title(table),
        "unit": table.unit,
        "pivot": Pivot(table.pivot).name,
        "columns": wording.delta_columns(Pivot(table.pivot)),
        "rows": [_stacked(wording.delta_cells(row, table)) for row in table.rows],
        "notes": wording.notes(table),
        "bars": figures.change_bars(language_changes(results, table), table.unit, Pivot(table.pivot)),
        "languages": {
            "title": language_wording.title(table),
            "columns": language_wording.columns(table) + language_wording.ANSWER_COLUMNS * with_answers,
            "rows": [
                language_wording.cells(*row, table) + (language_wording.answer_cells(row[-1]) if with_answers else [])
                for row in rows
            ],
        },
    }


def _square(square: Square) -> dict[str, Any]:
    return {
        "title": square_wording.title(square),
        "map": square_map(square),
        "notes": square_wording.notes(square),
        "columns": square_wording.columns(square),
        "rows": [[row.name, *row.cells] for row in square_wording.rows(square, intervals=True)],
    }


def _dose(dose: Dose) -> dict[str, Any]:
    return {
        "title": dose_wording.title(dose),
        "pivot": Pivot(dose.pivot).name,
        "curves": dose_curves(dose),
        "notes": dose_wording.notes(dose),
        "columns": dose_wording.columns(dose),
        "rows": dose_wording.rows(dose, intervals=True),
    }


def _detectors(table: DetectorTable) -> dict[str, Any]:
    return {
        "title": detector_wording.title(table),
        "columns": detector_wording.columns(table),
        "rows": detector_wording.stacked_rows(table),
        "notes": detector_wording.notes(table),
        "curves": detector_curves(table),
        "key": detector_key(table),
        "unit": table.unit,
        "overlaps": [
            {
                "title": detector_wording.overlap_title(overlap, table),
                "columns": detector_wording.overlap_columns(overlap),
                "rows": detector_wording.overlap_rows(overlap),
            }
            for overlap in table.overlaps
        ],
        "overlap_notes": detector_wording.OVERLAP_NOTES,
    }


def _set_draws(draws: SetDraws) -> dict[str, Any]:
    return {
        "title": set_draw_wording.title(draws),
        "notes": set_draw_wording.notes(draws),
        "columns": set_draw_wording.COLUMNS,
        "rows": set_draw_wording.rows(draws),
    }


def _stacked(cells: list[str]) -> list[str]:
    """Put intervals below their numbers and the count of draws below their range, so that a table fits a screen."""
    *others, spread = cells
    return [*(cell.replace(" [", "\n[") for cell in others), spread.replace(" ", "\n")]


def _sets(counts: SetCounts, stages: Stages) -> dict[str, Any]:
    return {
        "languages": counts.languages,
        "missing": counts.missing,
        "lacking": counts.lacking,
        "heat": figures.heat_maps(counts),
        "most": figures.heat_scale(counts),
        "lines": {
            name: figures.layer_lines(counts, component, name, stages)
            for component, name in COMPONENTS.items()
            if counts.languages
        },
        "overlap": figures.overlap_matrix(counts),
        "columns": ("language", "layer", "stage", *counts.structures, *COMPONENTS.values()),
        "rows": _layer_rows(counts, stages),
    }


def _layer_rows(counts: SetCounts, stages: Stages) -> list[list[str]]:
    """Return the numbers behind the figures of neurons."""
    rows = []
    for language in counts.languages:
        by_component = [counts.by_component(language, component) for component in COMPONENTS]
        for layer, of_layer in enumerate(counts.counts[language]):
            stage = stages.position(layer, "up").replace("s-ffn", "between")
            numbers = [of_layer.get(structure, 0) for structure in counts.structures]
            numbers += [of_component[layer] for of_component in by_component]
            rows.append([language, str(layer), stage, *map(str, numbers)])
    return rows


def _answers(answers: SampleAnswers) -> dict[str, Any]:
    """Return the answers as the page's script reads them; `answers.js` names the fields of each list."""
    return {
        "shown": len(answers.rows),
        "total": answers.total,
        "prompt_length": PROMPT_LENGTH,
        "answer_length": ANSWER_LENGTH,
        "content": {
            "documents": [
                [d.task, d.language, d.number, d.sample.prompt, d.sample.gold, d.sample.answer, d.sample.score]
                for d in answers.documents
            ],
            "cells": [[cell.preset, cell.setting, cell.mask_language, cell.seed] for cell in answers.cells],
            "rows": [
                [
                    row.document,
                    row.cell,
                    row.sample.answer,
                    row.sample.score,
                    int(row.sample.whole_answer != answers.documents[row.document].sample.whole_answer),
                ]
                for row in answers.rows
            ],
        },
    }
