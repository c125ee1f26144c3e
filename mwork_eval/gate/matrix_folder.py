"""Read a results folder of `mwork ablate` or `mwork run` for the gate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonlines

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.gate.document_clusters import read_clusters
from mwork_eval.gate.snapshot import ClusterField, DocumentKey, Snapshot, not_told
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.task_score import TaskScore

_HASHES = ("doc_hash", "prompt_hash", "target_hash")


def read_matrix_folder(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read the scores of a matrix, and check that every cell still has the samples they were computed from.

    Args:
        folder: The folder.
        cluster_field: By which field the documents of a task belong together; where none is named, cells tell.

    Raises:
        InputError: If the manifest or a cell is missing or damaged, or documents lack the field named.
    """
    manifest = load_manifest(folder)
    store = CellStore(folder)
    try:
        scores: dict[str, TaskScore | None] = {}
        keys: dict[str, tuple[DocumentKey, ...]] = {}
        definitions: dict[str, str] = {}
        for entry in manifest["cells"]:
            identity = entry["identity"]
            if identity in scores or (score := store.load(identity)) is None:
                scores.setdefault(identity, None)
                continue
            is_unmasked = entry["setting"] is None
            by = cluster_field(Snapshot.name(entry)) if is_unmasked else None
            samples = _read_samples(store.path(identity), score, with_documents=by is not None)
            clusters = score.clusters if is_unmasked else ()
            if by is not None:
                clusters = read_clusters(Snapshot.name(entry), [sample.get("doc") for sample in samples], cluster_field)
            if is_unmasked:
                keys[identity] = tuple(map(DocumentKey.of, samples))
                definitions[identity] = store.definition(identity)
            scores[identity] = replace(score, clusters=clusters)
        return Snapshot(
            model=manifest["model"],
            cells=manifest["cells"],
            scores=scores,
            keys=keys,
            definitions=definitions,
            counts={preset["name"]: preset["counts"] for preset in manifest["presets"]},
            sets={
                language: neurons
                for language, entry in manifest["sets"].items()
                if (neurons := find_recorded_set(folder, language, entry["digest"])) is not None
            },
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the manifest of {folder} is damaged", found=f"{type(error).__name__} {error}") from error


def _read_samples(path: Path, score: TaskScore, with_documents: bool) -> list[dict[str, Any]]:
    """Read what a cell's documents are known by, in the order of its scores."""
    _, _, filter_name = score.metric.partition(",")
    parts = ("doc_id", *_HASHES, *(("doc",) if with_documents else ()))
    try:
        with jsonlines.open(path) as lines:
            lines.read(type=dict)
            samples = [
                {part: sample[part] for part in parts if part in sample or part != "doc"}
                for sample in lines.iter(type=dict)
                if sample["filter"] == filter_name
            ]
    except (jsonlines.Error, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error
    samples.sort(key=lambda sample: int(sample["doc_id"]))
    digest = digest_of([[sample[part] for part in _HASHES] for sample in samples])
    if len(samples) != len(score.documents) or digest != score.documents_digest:
        raise InputError(
            f"{path} is damaged",
            found=f"{len(samples)} samples",
            expected=f"those of the {len(score.documents)} documents scored",
        )
    return samples
