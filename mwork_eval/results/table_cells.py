"""The scores of a table's cells: without a mask by language, and under the masks of each row."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.comparison import find_control
from mwork_eval.results.deltas import Masked
from mwork_eval.results.manifest import CellEntry, Manifest, PresetEntry
from mwork_eval.results.task_score import TaskScore

Scores = Mapping[str, TaskScore | None]
"""By cell identity, the stored score; None for a cell that is planned and not computed."""


@dataclass(frozen=True)
class TableCells:
    """The cells of some parts of a manifest that are about one table, whose baseline is computed.

    Attributes:
        preset: The table.
        task: The benchmark.
        cells: The cells.
        baseline: By language, the score without a mask; the pivot first.
        pivot: The language that the others are compared with.
    """

    preset: PresetEntry
    task: str
    cells: Sequence[CellEntry]
    baseline: Mapping[str, TaskScore]
    pivot: str

    @property
    def controls(self) -> dict[str, str | None]:
        """By language-specific row, the name of its random control; None if the table has none."""
        random: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
        for row in self.preset.settings:
            if row.random:
                random[row.intervention][row.positions] = row.name
        return {
            row.name: find_control(row.positions, random[row.intervention])
            for row in self.preset.settings
            if not row.random
        }

    def intervention_of(self, setting: str) -> str:
        """Return what a row does to neurons; `zero` deactivates them."""
        return next(row.intervention for row in self.preset.settings if row.name == setting)

    def of_row(self, setting: str | None) -> list[CellEntry]:
        """Return the cells under the masks of a row."""
        return [cell for cell in self.cells if cell.setting == setting]


def read_tables(manifest: Manifest, scores: Scores, *parts: str) -> Iterator[TableCells]:
    """Yield the cells of every table that the last of some parts of a manifest has, once its baseline is computed.

    Raises:
        InputError: If a table has no unmasked cell of the pivot.
    """
    for preset, task in dict.fromkeys(cell.table for cell in manifest.part(parts[-1])):
        baseline = _baseline(manifest.of_table((preset, task), "cells"), scores, manifest.pivot)
        if baseline is not None:
            cells = manifest.of_table((preset, task), *parts)
            yield TableCells(manifest.preset(preset), task, cells, baseline, manifest.pivot)


def _baseline(cells: Sequence[CellEntry], scores: Scores, pivot: str) -> dict[str, TaskScore] | None:
    """Return the scores without a mask by language, the pivot first; None while one is missing."""
    found = {cell.language: scores[cell.identity] for cell in cells if cell.setting is None}
    if pivot not in found:
        raise InputError(
            f"no ∆ without {Pivot(pivot).name}",
            found=f"unmasked cells of {' '.join(found)}",
            expected=f"{pivot} among them",
        )
    known = {language: score for language, score in found.items() if score is not None}
    return None if len(known) < len(found) else {pivot: known.pop(pivot), **known}


def masked_scores(cells: Sequence[CellEntry], scores: Scores, pivot: str = ENGLISH) -> Masked:
    """Pair each mask's score on its own language with that on the pivot; nothing while one is missing.

    Args:
        cells: The cells of one row.
        scores: By identity, the stored scores.
        pivot: The language that the others are compared with.
    """
    found: dict[tuple[str | None, int | None], dict[str, TaskScore]] = defaultdict(dict)
    for cell in cells:
        score = scores[cell.identity]
        if score is None:
            return {}
        found[cell.mask_language, cell.seed][cell.language] = score
    masked: dict[str, list[tuple[TaskScore, TaskScore]]] = defaultdict(list)
    for (language, _), of_mask in found.items():
        if language is None or not {language, pivot} <= of_mask.keys():
            return {}
        masked[language].append((of_mask[language], of_mask[pivot]))
    return masked


def check_alike(where: str, *rows: Masked) -> None:
    """Check that the rows of a table that are computed are of the same mask languages, with as many draws of each.

    Args:
        where: The table, for the error.
        *rows: The scores of each row; empty while some are missing.

    Raises:
        InputError: If they are not.
    """
    computed = [row for row in rows if row]
    if len({frozenset(row) for row in computed}) > 1 or any(len(set(map(len, row.values()))) > 1 for row in computed):
        raise InputError(
            f"the cells of {where} are not those of whole rows",
            found="; ".join(", ".join(f"{language} {len(runs)}" for language, runs in row.items()) for row in computed),
            expected="the same languages in every row, and as many draws of each",
        )
