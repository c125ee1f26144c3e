"""Summarise a results folder of `mwork ablate` or `mwork run`: its tables and its baselines."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.benchmarks.task_family import benchmark_name
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.manifest import preset_sets
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.model_asking import ENGINE, asking_in_words
from mwork_eval.results.scale import Scale
from mwork_eval.results.store import MANIFEST
from mwork_eval.results.stored_cell import StoredCell
from mwork_eval.results.summaries.entries import (
    ComparedDetectors,
    Contender,
    FolderFacts,
    FolderResults,
    RowEffect,
    Score,
)
from mwork_eval.results.summaries.numbers import DocumentNumbers, ranked_by
from mwork_eval.results.summaries.report_file import ReportTable, tables_of
from mwork_eval.results.tables import results_of


def read_matrix(folder: Path) -> FolderResults:
    """Read the unmasked scores, the rows of all tables, and how detectors compare.

    Raises:
        InputError: If a file is missing or damaged.
    """
    matrix = MatrixFolder(folder)
    contender = Contender.of(matrix.manifest.model, matrix.manifest.fingerprint)
    time = (folder / MANIFEST).stat().st_mtime
    scores = {score.task: score for score in _scores(matrix, contender, time)}
    changes = [change for table in tables_of(matrix) for change in _changes(table, scores, contender, matrix, time)]
    # Only such folders have several presets' sets to compare; of others nothing is computed anew.
    compared = read_detector_tables(results_of(matrix)) if preset_sets(matrix.manifest) else ()
    detectors = tuple(ComparedDetectors(contender, table, folder, time) for table in compared)
    facts = FolderFacts(contender, None, matrix.manifest.asking.get(ENGINE), folder, time, matrix.manifest)
    return FolderResults(tuple(scores.values()), tuple(changes), detectors, facts)


def _scores(matrix: MatrixFolder, contender: Contender, time: float) -> Iterator[Score]:
    manifest, asked = matrix.manifest, matrix.manifest.prompting
    asking = manifest.asking
    baselines = {manifest.task_name(c.task, c.language): c for c in manifest.cells if c.setting is None}
    for task, entry in baselines.items():
        if (cell := matrix.cell(entry.identity)) is None:
            continue
        score = cell.score
        scale = Scale.of(score)
        definition = [cell.definition(asked), *([asking] if asking else [])]
        compared_by = digest_of([matrix.lm_eval_digest(cell), *definition])
        yield Score(
            contender=contender,
            task=task,
            benchmark=benchmark_name(entry.task),
            language=entry.language,
            metric=score.metric,
            higher_is_better=score.higher_is_better,
            unit=scale.unit,
            value=scale.factor * score.score,
            error=None if (error := score.standard_error) is None else scale.factor * error,
            documents=len(score.documents),
            compared_by=compared_by,
            dataset=published_dataset(task, matrix.manifest.data),
            folder=matrix.path,
            time=time,
            prompting=(
                *([] if asked is None else asked.parts(cell.output_type, cell.shots)),
                *asking_in_words(asking),
            ),
            shots=cell.shots,
            ranked_by=_ranked_by(matrix, cell, compared_by),
            numbers=DocumentNumbers.of(score.documents, scale.factor, score.clusters),
        )


def _ranked_by(matrix: MatrixFolder, cell: StoredCell, compared_by: str) -> str:
    asked = matrix.manifest.prompting
    if asked is None or not asked.renders(cell.output_type):
        return compared_by
    definition = (cell.definition(asked.with_any_template()), cell.shots, matrix.manifest.asking)
    return ranked_by(compared_by, definition, matrix.documents(cell))


def _changes(
    table: ReportTable, scores: Mapping[str, Score], contender: Contender, matrix: MatrixFolder, time: float
) -> Iterator[RowEffect]:
    folder, pivot = matrix.path, matrix.manifest.pivot
    tasks = [matrix.manifest.task_name(table.task, language) for language in (pivot, *table.languages)]
    if missing := [task for task in tasks if task not in scores]:
        raise InputError(f"the report of {folder} is not of its cells", found=f"no score of {' '.join(missing)}")
    done = {(p.name, row.name): row.intervention for p in matrix.manifest.presets for row in p.settings}
    for row in table.rows:
        if row.delta is None:
            continue
        yield RowEffect(
            contender=contender,
            preset=table.preset,
            setting=row.name,
            random=row.random,
            benchmark=benchmark_name(table.task),
            languages=table.languages,
            neurons=table.counts,
            unit=table.unit,
            values={name: getattr(row.delta, name).ends for name in ("delta_eng", "delta_non_eng", "delta")},
            by_language={language: one.delta for language, one in row.delta.by_language.items()},
            p_holm=None if row.comparison is None else row.comparison.p_holm,
            documents=min(table.documents.values(), default=0),
            compared_by=digest_of([[task, scores[task].compared_by] for task in tasks]),
            folder=folder,
            time=time,
            pivot=pivot,
            documents_of=tuple(scores[task].compared_by for task in tasks),
            intervention=done.get((table.preset, row.name), "zero"),
        )
