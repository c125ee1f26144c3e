"""The baseline that a repository keeps: what the gate needs of a results folder, without prompts and answers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mwork_eval.digests import canonical_json, write_text_atomically
from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import DocumentKey, Snapshot
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.recorded_sets import FOLDER
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.results.task_score import TaskScore

FILE = "baseline.json"
_FORMAT = "mwork-baseline"
_VERSION = 1


def write_baseline(snapshot: Snapshot, folder: Path) -> list[Path]:
    """Write `baseline.json` and the neuron sets of a snapshot.

    Returns:
        The files written.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "model": snapshot.model,
        "cells": snapshot.cells,
        "scores": {identity: score and asdict(score) | {"metrics": {}} for identity, score in snapshot.scores.items()},
        "keys": snapshot.keys,
        "counts": snapshot.counts,
        "sets": list(snapshot.sets),
        "definitions": snapshot.definitions,
    }
    written = [folder / FILE]
    for language, neurons in snapshot.sets.items():
        path = folder / FOLDER / f"{language}{SUFFIX}"
        save_neuron_set(neurons, path)
        written.append(path)
    write_text_atomically(folder / FILE, canonical_json(content) + "\n")
    return written


def read_baseline(folder: Path) -> Snapshot:
    """Read what `write_baseline` wrote.

    Raises:
        InputError: If a file is missing, damaged or of another version.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["format"], content["version"]
        if found == (_FORMAT, _VERSION):
            return _snapshot(content, folder)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged",
            found=f"{type(error).__name__} {error}",
            hint="write it again with `mwork check --write-baseline`",
        ) from error
    raise InputError(
        f"{path} is of another kind", found=f"{found[0]} version {found[1]}", expected=f"{_FORMAT} version {_VERSION}"
    )


def _snapshot(content: dict[str, Any], folder: Path) -> Snapshot:
    sets = {language: load_neuron_set(folder / FOLDER / f"{language}{SUFFIX}") for language in content["sets"]}
    return Snapshot(
        model=content["model"],
        cells=content["cells"],
        scores={identity: entry and _score(entry) for identity, entry in content["scores"].items()},
        keys={identity: tuple(DocumentKey(*key) for key in keys) for identity, keys in content["keys"].items()},
        counts=content["counts"],
        sets=sets,
        definitions=dict(content.get("definitions", {})),
    )


def _score(entry: dict[str, Any]) -> TaskScore:
    documents, clusters = tuple((n, d) for n, d in entry["documents"]), tuple(entry.get("clusters", ()))
    return TaskScore(**entry | {"documents": documents, "clusters": clusters})
