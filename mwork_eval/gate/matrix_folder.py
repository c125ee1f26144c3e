"""Read a results folder of `mwork ablate` or `mwork run` for the gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonlines

from mwork_eval.ablation.store import CellStore, load_manifest
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import DocumentKey, Snapshot
from mwork_eval.harness.task_score import TaskScore
from mwork_eval.neurons.recorded_sets import find_recorded_set

_HASHES = ("doc_hash", "prompt_hash", "target_hash")


def read_matrix_folder(folder: Path) -> Snapshot:
    """Read the scores of a matrix, and check that every cell still has the samples they were computed from.

    Raises:
        InputError: If the manifest or a cell is missing or damaged.
    """
    manifest = load_manifest(folder)
    store = CellStore(folder)
    try:
        scores = {entry["identity"]: store.load(entry["identity"]) for entry in manifest["cells"]}
        unmasked = {entry["identity"] for entry in manifest["cells"] if entry["setting"] is None}
        keys = {
            identity: documents
            for identity, score in scores.items()
            if score is not None and (documents := _read_keys(store.path(identity), score)) and identity in unmasked
        }
        return Snapshot(
            model=manifest["model"],
            cells=manifest["cells"],
            scores=scores,
            keys=keys,
            counts={preset["name"]: preset["counts"] for preset in manifest["presets"]},
            sets={
                language: neurons
                for language, entry in manifest["sets"].items()
                if (neurons := find_recorded_set(folder, language, entry["digest"])) is not None
            },
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the manifest of {folder} is damaged", found=f"{type(error).__name__} {error}") from error


def _read_keys(path: Path, score: TaskScore) -> tuple[DocumentKey, ...]:
    """Read what a cell's documents are known by, in the order of its scores."""
    _, _, filter_name = score.metric.partition(",")
    try:
        with jsonlines.open(path) as lines:
            lines.read(type=dict)
            samples = [_short(sample) for sample in lines.iter(type=dict) if sample["filter"] == filter_name]
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
    return tuple(map(DocumentKey.of, samples))


def _short(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sample[name] for name in ("doc_id", *_HASHES)}
