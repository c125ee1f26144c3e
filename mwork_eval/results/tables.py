"""A results folder read back as tables: rows of deltas per preset and benchmark, and a row per cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mwork_eval.benchmarks.task_family import task_name
from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.comparison import SIGNIFICANT, Comparison, compare_settings
from mwork_eval.results.deltas import Delta, DeltaCalculator, Masked
from mwork_eval.results.manifest import PARTS, CellEntry, Manifest, TaskEntry
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.scale import Scale
from mwork_eval.results.table_cells import Scores, TableCells, check_alike, masked_scores, read_tables
from mwork_eval.results.task_score import TaskScore

_TRUNCATED = "truncated,none"
"""Among a score's metrics, the number of its prompts that were cut at the left."""


@dataclass(frozen=True)
class SettingRow:
    """One row of a paper-style table.

    Attributes:
        name: Name of the setting.
        random: Whether it is a random control.
        positions: Where neurons are changed.
        delta: What it does; None while cells are missing.
        comparison: A language-specific setting against its random control; None for a random one.
        undetectable: Whether the setting is language-specific and its ∆ neither significantly unlike its control's
            nor further from it than the test can tell; without a p-value, whether its interval holds 0 or is missing.
        intervention: What is done to the neurons; `zero` deactivates them.
    """

    name: str
    random: bool
    positions: tuple[str, ...]
    delta: Delta | None
    comparison: Comparison | None
    undetectable: bool
    intervention: str = "zero"


@dataclass(frozen=True)
class DeltaTable:
    """A paper-style table: one preset on one benchmark.

    Attributes:
        preset: Name of the preset.
        number: Number of the table in the paper, or None if it is not the paper's.
        task: The benchmark.
        metric: Main metric.
        higher_is_better: Whether a higher score is better.
        unit: Unit of the differences.
        languages: Mask languages averaged over.
        missing: Languages asked for that the benchmark lacks.
        counts: Neurons changed per mask language, the same in every row.
        baseline: Score without a mask per language.
        documents: Number of documents per language.
        clusters: Number of clusters of the documents of each language, the same in parallel ones; None if not known.
        detectable: The smallest true difference of ∆ from the random control's that the corrected p-value of any row
            finds in 80 % of cases; None if that cannot be told.
        rows: The settings.
        truncated: By language, how many prompts lost their beginning because the model takes no more; only those
            that have any.
        tasks: By language, the lm-eval task or group where its name does not follow from benchmark and language.
        pivot: The language that the others are compared with.
    """

    preset: str
    number: int | None
    task: str
    metric: str
    higher_is_better: bool
    unit: str
    languages: tuple[str, ...]
    missing: tuple[str, ...]
    counts: Mapping[str, int]
    baseline: Mapping[str, float]
    documents: Mapping[str, int]
    clusters: Mapping[str, int | None]
    detectable: float | None
    rows: tuple[SettingRow, ...]
    truncated: Mapping[str, int] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    pivot: str = ENGLISH

    def task_of(self, language: str) -> str:
        """Return the name of the lm-eval task, or group, of a language."""
        return self.tasks.get(language) or task_name(self.task, language)


@dataclass(frozen=True)
class CellRow:
    """One score: `score` and `baseline` are None while they are missing.

    `neurons` is None except under `--counts`, and `draw` except under `--set-draws`.
    """

    preset: str
    setting: str
    mask_language: str | None
    seed: int | None
    neurons: int | None
    draw: int | None
    task: str
    language: str
    documents: int | None
    score: float | None
    baseline: float | None


@dataclass(frozen=True)
class Results:
    """Everything a report shows of one results folder.

    Attributes:
        folder: The folder.
        manifest: What its matrix consists of.
        tables: A paper-style table per preset and benchmark.
        cells: A row per score.
        scores: By cell identity, the stored score; None for a cell that is planned and not computed.
    """

    folder: Path
    manifest: Manifest
    tables: tuple[DeltaTable, ...]
    cells: tuple[CellRow, ...]
    scores: Scores

    @property
    def unfinished(self) -> int:
        """Number of cells that are planned and not computed; rows can share one."""
        return sum(score is None for score in self.scores.values())

    def cells_of(self, table: DeltaTable, part: str = "cells") -> list[CellEntry]:
        """Return the manifest's entries of the cells of a table, or of another part about its preset and benchmark."""
        return self.manifest.of_table((table.preset, table.task), part)


def read_results(folder: Path) -> Results:
    """Read a results folder.

    Raises:
        InputError: If it holds no results or a file is damaged.
    """
    return results_of(MatrixFolder(folder))


def results_of(matrix: MatrixFolder) -> Results:
    """Compute what a report shows of a results folder.

    Raises:
        InputError: If it holds no finished cell or a file is damaged.
    """
    folder, manifest = matrix.path, matrix.manifest
    every = [entry for part in PARTS for entry in manifest.part(part)]
    scores = {entry.identity: matrix.score(entry.identity) for entry in every}
    if not any(scores.values()):
        raise InputError(f"{folder} holds no finished cell", hint="run `ablate` again to go on")
    entries = {task.name: task for task in manifest.tasks}
    tables = [_table(cells, entries[cells.task], scores) for cells in read_tables(manifest, scores, "cells")]
    return Results(folder, manifest, tuple(tables), tuple(_cell_rows(every, scores)), scores)


def _table(cells: TableCells, entry: TaskEntry, scores: Scores) -> DeltaTable:
    preset, known = cells.preset, cells.baseline
    calculator = DeltaCalculator(known, cells.pivot)
    masked = {row.name: masked_scores(cells.of_row(row.name), scores, cells.pivot) for row in preset.settings}
    check_alike(f"{preset.name} on {cells.task}", *masked.values())
    rows, detectable = _rows(cells, masked, calculator)
    languages = tuple(language for language in known if language != cells.pivot)
    return DeltaTable(
        preset=preset.name,
        number=preset.table,
        task=cells.task,
        metric=calculator.metric,
        higher_is_better=calculator.scale.higher_is_better,
        unit=calculator.scale.unit,
        languages=languages,
        missing=entry.missing,
        counts={language: preset.counts[language] for language in languages if language in preset.counts},
        baseline=calculator.baseline,
        documents={language: len(score.documents) for language, score in known.items()},
        clusters={language: len(set(score.clusters)) or None for language, score in known.items()},
        detectable=detectable,
        rows=tuple(rows),
        truncated=_truncated(known),
        tasks=entry.tasks,
        pivot=cells.pivot,
    )


def _truncated(baseline: Mapping[str, TaskScore]) -> dict[str, int]:
    """Return the number of prompts cut, by language; a mask changes none."""
    counts = {code: int(score.metrics.get(_TRUNCATED, 0)) for code, score in baseline.items()}
    return {code: count for code, count in counts.items() if count}


def _rows(
    cells: TableCells, masked: Mapping[str, Masked], calculator: DeltaCalculator
) -> tuple[list[SettingRow], float | None]:
    """Return the rows of a table, and the smallest difference from the control that its tests find."""
    comparisons = compare_settings(cells.controls, cells.baseline, masked, calculator.scale, cells.pivot)
    deltas = {name: calculator.delta(scores) if scores else None for name, scores in masked.items()}
    smallest = [found.detectable for found in comparisons.values() if found.p is not None]
    # Without any spread the documents are too few or too alike to say anything.
    detectable = None if not smallest or None in smallest else max(value for value in smallest if value is not None)
    rows = [
        SettingRow(
            name=row.name,
            random=row.random,
            positions=row.positions,
            delta=deltas[row.name],
            comparison=comparisons.get(row.name),
            undetectable=_undetectable(deltas[row.name], comparisons.get(row.name), detectable),
            intervention=row.intervention,
        )
        for row in cells.preset.settings
    ]
    return rows, detectable


def _undetectable(delta: Delta | None, comparison: Comparison | None, detectable: float | None) -> bool:
    if delta is None or comparison is None:
        return False
    if comparison.p_holm is None or comparison.difference is None:
        return delta.delta.low is None or delta.delta.high is None or delta.delta.low <= 0 <= delta.delta.high
    return comparison.p_holm >= SIGNIFICANT and (detectable is None or abs(comparison.difference) < detectable)


def _cell_rows(entries: Sequence[CellEntry], scores: Scores) -> list[CellRow]:
    baseline = {(entry.task, entry.language): scores[entry.identity] for entry in entries if entry.setting is None}
    rows = []
    for entry in entries:
        score, first = scores[entry.identity], baseline.get((entry.task, entry.language))
        rows.append(
            CellRow(
                preset=entry.preset,
                setting=entry.setting or "baseline",
                mask_language=entry.mask_language,
                seed=entry.seed,
                neurons=entry.count,
                draw=entry.draw,
                task=entry.task,
                language=entry.language,
                documents=None if score is None else len(score.documents),
                score=_scaled(score, first),
                baseline=_scaled(first, first),
            )
        )
    return rows


def _scaled(score: TaskScore | None, baseline: TaskScore | None) -> float | None:
    return None if score is None else Scale.of(baseline or score).factor * score.score
