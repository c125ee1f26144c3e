"""Detectors compared: what the neurons of each do, how sure their difference is, and how many neurons they share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.deltas import Masked, MaskEffect
from mwork_eval.results.dose import ControlBands, DosePoint, dose_points
from mwork_eval.results.doses import read_doses
from mwork_eval.results.paired_difference import paired_difference
from mwork_eval.results.preset_overlaps import SetOverlap, overlaps_of_presets
from mwork_eval.results.scale import Scale
from mwork_eval.results.table_cells import TableCells, masked_scores, read_tables
from mwork_eval.results.tables import Results
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Estimate, holm


@dataclass(frozen=True)
class DetectorRow:
    """What the neurons of one detector do; changes are signed so that negative means damage.

    Attributes:
        detector: Its name, which is that of its preset.
        language: The mask language; None for the mean over all.
        neurons: Neurons deactivated per language; the fewest where languages differ.
        own: Change of the language under its own mask.
        english: Change of the pivot, English unless another was chosen, under the same mask.
        delta: ∆ = pivot - own.
        control: What as many random neurons do; None while they are missing or if there are none.
        p: Two-sided p-value of ∆ against the random control; None per language, and where there is none.
        p_holm: The same, corrected for the number of detectors (Holm).
        difference: ∆ less that of the first detector, paired by document; None for the first one, while its cells are
            missing, or if it was scored on other documents.
    """

    detector: str
    language: str | None
    neurons: int
    own: Estimate
    english: Estimate
    delta: Estimate
    control: ControlBands | None
    p: float | None
    p_holm: float | None
    difference: Estimate | None


@dataclass(frozen=True)
class DetectorTable:
    """Detectors on one benchmark, with one row of their tables.

    Attributes:
        task: The benchmark.
        metric: Main metric.
        unit: Unit of the changes.
        setting: Name of the row.
        control: Name of its random control; None if the tables have none.
        detectors: By detector, what recording takes for a document, in words.
        languages: Mask languages.
        documents: Number of documents per language.
        rows: By detector, the mean over languages if there are several, then each language.
        overlaps: How many neurons every two detectors share, on average and by language.
        curves: By detector, what each number of neurons does, on average over languages; empty without `--counts`.
        pivot: The language that the others are compared with.
    """

    task: str
    metric: str
    unit: str
    setting: str
    control: str | None
    detectors: Mapping[str, str]
    languages: tuple[str, ...]
    documents: Mapping[str, int]
    rows: tuple[DetectorRow, ...]
    overlaps: tuple[SetOverlap, ...]
    curves: Mapping[str, tuple[DosePoint, ...]]
    pivot: str = ENGLISH

    @property
    def first(self) -> str:
        """The detector that the others' differences are from."""
        return next(iter(self.detectors))


def read_detector_tables(results: Results) -> Iterator[DetectorTable]:
    """Yield a table per benchmark and row, with the detectors that are computed; none if presets share their sets.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a masked score has other documents than its baseline, or a set's file is damaged.
    """
    tables = [one for one in read_tables(results.manifest, results.scores, "cells") if one.preset.sets]
    curves = {(dose.preset, dose.task, dose.setting): dose for dose in read_doses(results)} if tables else {}
    for task in dict.fromkeys(one.task for one in tables):
        of_task = [one for one in tables if one.task == task]
        for setting in dict.fromkeys(setting for one in of_task for setting in one.controls):
            computed = {
                one: masked
                for one in map(_Detector, of_task)
                if (masked := masked_scores(one.cells.of_row(setting), results.scores, one.cells.pivot))
            }
            if not computed:
                continue
            first = next(iter(computed)).cells
            scale = Scale.of(first.baseline[first.pivot])
            doses = {one.name: curves.get((one.name, task, setting)) for one in computed}
            languages = tuple(next(iter(computed.values())))
            yield DetectorTable(
                task=task,
                metric=first.baseline[first.pivot].metric,
                unit=scale.unit,
                setting=setting,
                control=first.controls[setting],
                detectors={one.name: one.cells.preset.cost for one in computed},
                languages=languages,
                documents={language: len(score.documents) for language, score in first.baseline.items()},
                rows=tuple(_rows(computed, setting, results)),
                overlaps=overlaps_of_presets(results.folder, [one.cells.preset for one in computed], languages),
                curves={
                    name: tuple(next(iter(dose.curves.values()))) for name, dose in doses.items() if dose is not None
                },
                pivot=first.pivot,
            )


@dataclass(frozen=True, eq=False)
class _Detector:
    """The table of a detector."""

    cells: TableCells

    @property
    def name(self) -> str:
        return self.cells.preset.name


def _rows(computed: Mapping[_Detector, Masked], setting: str, results: Results) -> list[DetectorRow]:
    first, of_first = next(iter(computed.items()))
    rows = []
    for one, masked in computed.items():
        control = one.cells.controls[setting]
        random = masked_scores(one.cells.of_row(control), results.scores, one.cells.pivot) if control else {}
        counts = one.cells.preset.counts
        points = dose_points(one.cells.baseline, masked, random, min(counts[code] for code in masked), one.cells.pivot)
        for number, point in enumerate(points):
            among = list(masked) if point.language is None else [point.language]
            rows.append(
                DetectorRow(
                    detector=one.name,
                    language=point.language,
                    neurons=min(counts[code] for code in among),
                    own=point.own,
                    english=point.english,
                    delta=point.delta,
                    control=point.control,
                    p=None if number else _p(one, setting, results),
                    p_holm=None,
                    difference=None if one is first else _difference(one, masked, first, of_first, among),
                )
            )
    return _corrected(rows)


def _p(one: _Detector, setting: str, results: Results) -> float | None:
    """Return the p-value that a detector's own table has."""
    tables = (table for table in results.tables if (table.preset, table.task) == (one.name, one.cells.task))
    comparisons = [row.comparison for table in tables for row in table.rows if row.name == setting]
    return None if not comparisons or comparisons[0] is None else comparisons[0].p


def _corrected(rows: Sequence[DetectorRow]) -> list[DetectorRow]:
    values = {number: row.p for number, row in enumerate(rows) if row.p is not None}
    corrected = dict(zip(values, holm(list(values.values())), strict=True))
    return [replace(row, p_holm=corrected.get(number)) for number, row in enumerate(rows)]


def _difference(
    one: _Detector, masked: Masked, first: _Detector, of_first: Masked, languages: Sequence[str]
) -> Estimate | None:
    """Return the difference of two detectors' ∆ of some languages; None if it is not of the same documents."""
    pivot = one.cells.pivot
    if not of_first.keys() >= set(languages) or (len(languages) > 1 and of_first.keys() != masked.keys()):
        return None
    for language in (pivot, *languages):
        known = [(len(score.documents), score.documents_digest) for score in _baselines((one, first), language)]
        if known[0] != known[1]:
            return None
    effects = []
    for table, scores in ((one, masked), (first, of_first)):
        baseline = {language: table.cells.baseline[language] for language in (pivot, *languages)}
        effects.append(
            MaskEffect(baseline, {code: scores[code] for code in languages}, Scale.of(baseline[pivot]), pivot)
        )
    return paired_difference(*effects)


def _baselines(tables: Sequence[_Detector], language: str) -> list[TaskScore]:
    return [table.cells.baseline[language] for table in tables]
