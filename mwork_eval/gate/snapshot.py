"""What the gate needs of a results folder: scores by document, and what the documents are known by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.files.json_values import FileValue
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.results.manifest import CellEntry
from mwork_eval.results.scored_document import ScoredDocument
from mwork_eval.results.task_score import TaskScore

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
    """

    model: str
    cells: Sequence[CellEntry | PlainEntry]
    scores: Mapping[str, TaskScore | None]
    keys: Mapping[str, tuple[DocumentKey, ...]]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sets: Mapping[str, NeuronSet] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)

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

    @staticmethod
    def name(entry: CellEntry | PlainEntry) -> TaskName:
        """Return the name of a cell's task."""
        return TaskName.of(entry.task) if entry.language is None else TaskName.of_cell(entry.task, entry.language)

    def _scored(self, entry: CellEntry | PlainEntry) -> Scored | None:
        identity = entry.identity
        score = self.scores[identity]
        return None if score is None else Scored(score, self.keys[identity], self.definitions.get(identity))
