"""Read a results folder of `mwork ablate` or `mwork run` for the gate."""

from dataclasses import replace
from pathlib import Path

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.gate.document_clusters import read_clusters
from mwork_eval.gate.snapshot import ClusterField, DocumentKey, Snapshot, not_told
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.task_score import TaskScore


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
        name = TaskName.of_cell(entry.task, entry.language)
        by = cluster_field(name)
        documents = matrix.documents(cell, with_content=by is not None)
        clusters = cell.clusters
        if by is not None:
            clusters = read_clusters(name, [document.content for document in documents], cluster_field)
        keys[identity] = tuple(map(DocumentKey.of, documents))
        definitions[identity] = cell.definition
        scores[identity] = replace(cell.score, clusters=clusters)
    return Snapshot(
        model=manifest.model,
        cells=manifest.cells,
        scores=scores,
        keys=keys,
        definitions=definitions,
        counts={preset.name: preset.counts for preset in manifest.presets},
        sets={
            language: neurons
            for language, entry in manifest.sets.items()
            if (neurons := find_recorded_set(folder, language, entry.digest)) is not None
        },
    )
