"""The baseline that a repository keeps: what the gate needs of a results folder, without prompts and answers."""

from dataclasses import asdict
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mwork_eval.files.json_values import FileValue
from mwork_eval.files.seal import read_sealed, write_sealed
from mwork_eval.gate.snapshot import DocumentKey, PlainEntry, Snapshot
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.recorded_sets import FOLDER
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.results.manifest import CellEntry
from mwork_eval.results.stored_cell import StoredScore

FILE = "baseline.json"
_FORMAT = "mwork-baseline"
_VERSION = 1


class _Baseline(FileValue):
    """The content of a baseline, by identity and otherwise as `Snapshot`; earlier versions lack definitions."""

    model: str
    cells: tuple[CellEntry | PlainEntry, ...]
    scores: dict[str, StoredScore | None]
    keys: dict[str, tuple[DocumentKey, ...]]
    counts: dict[str, dict[str, int]]
    sets: tuple[str, ...]
    definitions: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_what_it_names(self) -> Self:
        for number, cell in enumerate(self.cells):
            if cell.identity not in self.scores:
                raise ValueError(f"cells.{number}: no score {cell.identity}")
            if cell.setting is None and self.scores[cell.identity] is not None and cell.identity not in self.keys:
                raise ValueError(f"cells.{number}: no keys of documents")
        return self


def write_baseline(snapshot: Snapshot, folder: Path) -> list[Path]:
    """Write `baseline.json` and the neuron sets of a snapshot.

    Returns:
        The files written.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "model": snapshot.model,
        "cells": [cell.model_dump(exclude_unset=isinstance(cell, CellEntry)) for cell in snapshot.cells],
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
    write_sealed(folder / FILE, content)
    return written


def read_baseline(folder: Path) -> Snapshot:
    """Read what `write_baseline` wrote.

    Raises:
        InputError: If a file is missing, damaged or of another version.
    """
    hint = "write it again with `mwork check --write-baseline`"
    content = read_sealed(_Baseline, folder / FILE, (_FORMAT, _VERSION), hint)
    return Snapshot(
        model=content.model,
        cells=content.cells,
        scores={identity: None if stored is None else stored.score for identity, stored in content.scores.items()},
        keys=content.keys,
        counts=content.counts,
        sets={language: load_neuron_set(folder / FOLDER / f"{language}{SUFFIX}") for language in content.sets},
        definitions=content.definitions,
    )
