"""What the gate needs of a results folder, without prompts and answers; also as the baseline a repository keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.files.json_values import FileValue
from mwork_eval.files.seal import read_sealed, write_sealed
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import FOLDER
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.results.manifest import CellEntry
from mwork_eval.results.scored_document import ScoredDocument
from mwork_eval.results.stored_cell import StoredScore
from mwork_eval.results.task_score import TaskScore

BASELINE = "baseline.json"
_FORMAT = "mwork-baseline"
_VERSION = 1
_HASH_LENGTH = 16
"""Hexadecimal characters kept of a hash, 64 bits: enough to tell documents apart, little to commit."""


class DocumentKey(NamedTuple):
    """What a document is known by: beginnings of lm-eval's hashes of it, of its prompt and of its right answer."""

    document: str
    prompt: str
    target: str

    @classmethod
    def of(cls, document: ScoredDocument) -> "DocumentKey":
        """Return what a document is known by."""
        return cls(*(part[:_HASH_LENGTH] for part in (document.document, document.prompt, document.target)))


ClusterField = Callable[[TaskName], str | None]
"""By which field of its documents the documents of a task belong together; None if that is not told."""


def not_told(_: TaskName) -> None:
    """Name no field for any task."""


class PlainEntry(FileValue):
    """What an unmasked score of no matrix stands for, in the form of a matrix' entries.

    Attributes:
        task: The benchmark, or the whole name of the task if that does not end in a language.
        language: Its language, or None.
        identity: Name of the lm-eval task.
    """

    preset: None = None
    setting: None = None
    mask_language: None = None
    seed: None = None
    task: str
    language: str | None
    identity: str

    @classmethod
    def of(cls, name: TaskName) -> "PlainEntry":
        """Return the entry of an lm-eval task."""
        return cls(task=name.task, language=name.language, identity=name.full)


@dataclass(frozen=True)
class Scored:
    """The score of a task, what its documents are known by, in the same order, and what it is defined by.

    The definition is as `definition_of` gives it; None in baselines of earlier versions.
    """

    score: TaskScore
    keys: tuple[DocumentKey, ...]
    definition: str | None
    shots: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A results folder as the gate sees it.

    Attributes:
        model: Name of the model.
        cells: Which score stands for what; `setting` is None for unmasked scores.
        scores: By cell identity, the score; None for a cell that is planned and not computed. Unmasked scores tell the
            clusters of documents, for those under masks, too.
        keys: By cell identity, the documents of the unmasked scores.
        counts: By preset and mask language, the number of neurons its rows deactivate.
        sets: By language, the neuron sets that were found.
        definitions: By cell identity, what unmasked scores are defined by, where that is told.
        named: By benchmark and language, the lm-eval tasks whose names do not follow from these.
        pivot: The language that the others of its tables are compared with.
        shots: Likewise, the numbers of examples before each question.
        asking: Arguments of the model that say how a text reaches it and how its answer is read, as texts.
    """

    model: str
    cells: Sequence[CellEntry | PlainEntry]
    scores: Mapping[str, TaskScore | None]
    keys: Mapping[str, tuple[DocumentKey, ...]]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sets: Mapping[str, NeuronSet] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pivot: str = ENGLISH
    shots: Mapping[str, int] = field(default_factory=dict)
    asking: Mapping[str, str] = field(default_factory=dict)

    def tasks(self) -> dict[TaskName, Scored | None]:
        """Return the unmasked score of every task; None for one that is not computed.

        Where presets were run with different documents, the last one's count.
        """
        return {self.name(entry): self._scored(entry) for entry in self.cells if entry.setting is None}

    def tables(self) -> dict[tuple[str, str], list[CellEntry]]:
        """Return the cells of every table, by preset and benchmark."""
        tables: dict[tuple[str, str], list[CellEntry]] = {}
        for entry in self.cells:
            if isinstance(entry, CellEntry):
                tables.setdefault(entry.table, []).append(entry)
        return tables

    def baseline(self, entries: Sequence[CellEntry]) -> dict[str, Scored | None]:
        """Return the unmasked scores among the cells of a table, by language."""
        return {entry.language: self._scored(entry) for entry in entries if entry.setting is None}

    def name(self, entry: CellEntry | PlainEntry) -> TaskName:
        """Return the name of a cell's task."""
        if entry.language is None:
            return TaskName.of(entry.task)
        return TaskName.of_cell(entry.task, entry.language, self.named.get(entry.task, {}).get(entry.language))

    def _scored(self, entry: CellEntry | PlainEntry) -> Scored | None:
        identity = entry.identity
        score = self.scores[identity]
        told = self.definitions.get(identity), self.shots.get(identity)
        return None if score is None else Scored(score, self.keys[identity], *told)


class _Baseline(FileValue):
    """The content of a baseline, by identity and otherwise as `Snapshot`; earlier versions lack what is last."""

    model: str
    cells: tuple[CellEntry | PlainEntry, ...]
    scores: dict[str, StoredScore | None]
    keys: dict[str, tuple[DocumentKey, ...]]
    counts: dict[str, dict[str, int]]
    sets: tuple[str, ...]
    definitions: dict[str, str] = Field(default_factory=dict)
    named: dict[str, dict[str, str]] = Field(default_factory=dict)
    pivot: str = ENGLISH
    shots: dict[str, int] = Field(default_factory=dict)
    asking: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_what_it_names(self) -> Self:
        for number, cell in enumerate(self.cells):
            if cell.identity not in self.scores:
                raise ValueError(f"cells.{number}: no score {cell.identity}")
            if cell.setting is None and self.scores[cell.identity] is not None and cell.identity not in self.keys:
                raise ValueError(f"cells.{number}: no keys of documents")
        for identity, keys in self.keys.items():
            score = self.scores.get(identity)
            if score is not None and len(score.documents) != len(keys):
                raise ValueError(f"keys.{identity}: {len(keys)} of {len(score.documents)} documents")
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
        # Names that follow from the rest are not written.
        **({"named": snapshot.named} if snapshot.named else {}),
        **({} if snapshot.pivot == ENGLISH else {"pivot": snapshot.pivot}),
        # What is not told is not written.
        **{name: told for name, told in (("shots", _some(snapshot.shots)), ("asking", snapshot.asking)) if told},
    }
    written = [folder / BASELINE]
    for language, neurons in snapshot.sets.items():
        path = folder / FOLDER / f"{language}{SUFFIX}"
        save_neuron_set(neurons, path)
        written.append(path)
    write_sealed(folder / BASELINE, content)
    return written


def _some(shots: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of examples if there are any."""
    return dict(shots) if any(shots.values()) else {}


def read_baseline(folder: Path) -> Snapshot:
    """Read what `write_baseline` wrote.

    Raises:
        InputError: If a file is missing, damaged or of another version.
    """
    hint = "write it again with `mwork check --write-baseline`"
    content = read_sealed(_Baseline, folder / BASELINE, (_FORMAT, _VERSION), hint)
    return Snapshot(
        model=content.model,
        cells=content.cells,
        scores={identity: None if stored is None else stored.score for identity, stored in content.scores.items()},
        keys=content.keys,
        counts=content.counts,
        sets={language: load_neuron_set(folder / FOLDER / f"{language}{SUFFIX}") for language in content.sets},
        definitions=content.definitions,
        named=content.named,
        pivot=content.pivot,
        shots=content.shots,
        asking=content.asking,
    )
