"""Read a results folder of any kind for the gate: a matrix, a written baseline, or plain results of lm-eval."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.clusters import cluster_keys
from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import (
    BASELINE,
    ClusterField,
    DocumentKey,
    PlainEntry,
    Snapshot,
    not_told,
    read_baseline,
)
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.results.lm_eval_folder import LmEvalFile, name_of, results_files
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.store import MANIFEST
from mwork_eval.results.task_score import TaskScore


def read_snapshot(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read what `mwork ablate`, `mwork run`, `mwork check --write-baseline` or lm-eval wrote.

    Args:
        folder: A folder; of lm-eval, also one of its results files, or the `NAME.json` that it was given.
        cluster_field: By which field the documents of a task belong together; a written baseline, which has no
            documents, tells what it was written with.

    Raises:
        InputError: If it is none of these, a file is missing or damaged, or documents lack the field named.
    """
    if (folder / BASELINE).is_file():
        return read_baseline(folder)
    if (folder / MANIFEST).is_file():
        return read_matrix_folder(folder, cluster_field)
    if results_files(folder):
        return read_lm_eval_folder(folder, cluster_field)
    if not folder.exists():
        raise InputError(f"{folder} does not exist", expected="a results folder, or a results file of lm-eval")
    raise InputError(
        f"{folder} holds no results",
        found=f"no {MANIFEST}, no {BASELINE} and no results of lm-eval (results_DATE.json or NAME_DATE.json)",
        expected="a folder of `mwork ablate`, `mwork run`, `mwork check --write-baseline`, or lm_eval --log_samples",
    )


def read_matrix_folder(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read the scores of a matrix, and check that every cell still has the samples they were computed from.

    Args:
        folder: The folder.
        cluster_field: By which field the documents of a task belong together; where none is named, cells tell.

    Raises:
        InputError: If the manifest or a cell is missing or damaged, or documents lack the field named.
    """
    matrix = MatrixFolder(folder)
    manifest = matrix.manifest
    scores: dict[str, TaskScore | None] = {}
    keys: dict[str, tuple[DocumentKey, ...]] = {}
    definitions: dict[str, str] = {}
    shots: dict[str, int] = {}
    for entry in manifest.cells:
        identity = entry.identity
        if identity in scores:
            continue
        if (cell := matrix.cell(identity)) is None:
            scores[identity] = None
            continue
        if entry.setting is not None:
            matrix.documents(cell)  # checked, and not needed
            scores[identity] = replace(cell.score, clusters=())
            continue
        name = TaskName.of_cell(entry.task, entry.language, manifest.task_name(entry.task, entry.language))
        by = cluster_field(name)
        documents = matrix.documents(cell, with_content=by is not None)
        clusters = cell.clusters
        if by is not None:
            clusters = _read_clusters(name, [document.content for document in documents], cluster_field)
        keys[identity] = tuple(map(DocumentKey.of, documents))
        definitions[identity] = cell.definition(manifest.prompting)
        shots |= {} if cell.shots is None else {identity: cell.shots}
        scores[identity] = replace(cell.score, clusters=clusters)
    return Snapshot(
        model=manifest.model,
        cells=manifest.cells,
        scores=scores,
        keys=keys,
        definitions=definitions,
        shots=shots,
        asking=manifest.asking,
        counts={preset.name: preset.counts for preset in manifest.presets},
        sets={
            language: neurons
            for language, entry in manifest.sets.items()
            if (neurons := find_recorded_set(folder, language, entry.digest)) is not None
        },
        named={task.name: task.tasks for task in manifest.tasks if task.tasks},
        pivot=manifest.pivot,
    )


def read_lm_eval_folder(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read the newest scores of every task.

    Args:
        folder: The folder, or what else `results_files` takes.
        cluster_field: By which field the documents of a task belong together; our own tasks know theirs.

    Raises:
        InputError: If there are results of several models, a file is missing, damaged or not as reported, there are
            answers without scores, or documents lack the field named.
    """
    files = [LmEvalFile.read(path) for path in _of_one_model(folder)]
    if len(models := {file.scored_by: file.path for file in files}) > 1:
        raise InputError(
            f"{folder} holds results of several models",
            found=", ".join(sorted(path.name for path in models.values())),
            hint="name one of these files",
        )
    newest: dict[str, LmEvalFile] = {}
    for results in files:
        newest.update(dict.fromkeys(results.content.counts, results))
    read = {name: _read_task(name, results, cluster_field) for name, results in newest.items()}
    latest = next(reversed(newest.values())).content
    return Snapshot(
        model=str(latest.model_name or latest.model_source),
        cells=[PlainEntry.of(TaskName.of(name)) for name in read],
        scores={name: score for name, (score, _) in read.items()},
        keys={name: keys for name, (_, keys) in read.items()},
        definitions={name: results.definition(name) for name, results in newest.items()},
        shots={name: shots for name, results in newest.items() if (shots := results.shots(name)) is not None},
        asking=latest.asking,
    )


def _of_one_model(folder: Path) -> list[Path]:
    """Return results files, the oldest first, and check that they do not lie where those of several models do."""
    files = results_files(folder)
    places = {(path.parent, name_of(path)) for path in files}
    if len(places) > 1:
        several = {parent for parent, _ in places}
        names = several if len(several) == len(places) else {parent / f"{name}.json" for parent, name in places}
        raise InputError(
            f"{folder} holds results of several models",
            found=", ".join(sorted(str(name.relative_to(folder)) for name in names)),
            hint="name one of these " + ("folders" if names is several else "files"),
        )
    return files


def _read_task(
    name: str, results: LmEvalFile, cluster_field: ClusterField
) -> tuple[TaskScore, tuple[DocumentKey, ...]]:
    main, documents = results.documents(name)
    clusters = _read_clusters(TaskName.of(name), [document.content for document in documents], cluster_field)
    score = TaskScore(main.metric, main.higher_is_better, main.documents, {}, clusters=clusters)
    return score, tuple(map(DocumentKey.of, documents))


def _read_clusters(
    name: TaskName, documents: Sequence[Mapping[str, Any] | None], cluster_field: ClusterField
) -> tuple[str, ...]:
    """Return the cluster of each document; nothing if samples were kept without documents.

    Args:
        name: The task.
        documents: What lm-eval's samples hold as `doc`.
        cluster_field: By which field the documents of a task belong together.

    Raises:
        InputError: If documents lack the field that is named for the task, or are not there.
    """
    by = cluster_field(name)
    kept = [document for document in documents if document is not None]
    if len(kept) == len(documents):
        return cluster_keys(name.full, kept, by=by)
    if by is None:
        return ()
    raise InputError(
        f"{name.full} cannot be clustered by {by!r}", found="samples without their documents", expected="`doc` in each"
    )
