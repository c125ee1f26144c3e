"""The documents behind the cells: prompt, right answer, and the answers without and under a mask, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from mwork_eval.errors import InputError
from mwork_eval.results.manifest import CellEntry
from mwork_eval.results.sample_text import Answered, answered
from mwork_eval.results.store import CellStore
from mwork_eval.results.tables import Results
from mwork_eval.results.task_score import TaskScore

MOST_ROWS = 2000
"""Answers under a mask that a report holds; spread over its cells."""


@dataclass(frozen=True)
class Document:
    """A document and what the unmasked model said.

    Attributes:
        task: The benchmark.
        language: Its language.
        number: lm-eval's number of the document.
        sample: Prompt, right answer, answer and score.
    """

    task: str
    language: str
    number: int
    sample: Answered


@dataclass(frozen=True)
class MaskedAnswer:
    """What the model said about a document under a mask.

    Attributes:
        document: Index among the documents.
        cell: Index among the cells.
        sample: Answer and score.
    """

    document: int
    cell: int
    sample: Answered


@dataclass(frozen=True)
class SampleAnswers:
    """The answers a report shows.

    Attributes:
        documents: The documents, the first ones of each benchmark and language.
        cells: The manifest's entries of the cells shown; a score that presets share appears once.
        rows: The answers under masks.
        total: Number of answers under masks that are stored in the folder, whether shown or not.
    """

    documents: list[Document]
    cells: list[CellEntry]
    rows: list[MaskedAnswer]
    total: int


def read_answers(results: Results, most: int = MOST_ROWS) -> SampleAnswers:
    """Read the first documents of every cell, as many of each as `most` rows allow.

    Where there are more cells than rows, every n-th cell is read. A cell's file is read only until its documents are
    found, so that large folders do not take long.

    Args:
        results: The results.
        most: The greatest number of rows.

    Raises:
        InputError: If a file is damaged.
    """
    finished = {cell.identity: cell for cell in reversed(results.manifest.cells) if results.scores[cell.identity]}
    masked = [cell for cell in reversed(finished.values()) if cell.setting is not None]
    baselines = {(cell.task, cell.language): cell for cell in finished.values() if cell.setting is None}
    shown = [cell for cell in masked[:: -(-len(masked) // most) or 1] if (cell.task, cell.language) in baselines]
    each = max(1, most // max(1, len(shown)))
    store = CellStore(results.folder)

    found = SampleAnswers([], shown, [], sum(_size(results.scores[cell.identity]) for cell in masked))
    places: dict[tuple[str, str], dict[int, int]] = {}
    for task, language in dict.fromkeys((cell.task, cell.language) for cell in shown):
        samples = _samples(store, results, baselines[task, language].identity)
        first = nsmallest(each, samples, key=lambda pair: pair[0])
        places[task, language] = {number: len(found.documents) + k for k, (number, _) in enumerate(first)}
        found.documents.extend(Document(task, language, number, sample) for number, sample in first)
    for index, cell in enumerate(shown):
        wanted = dict(places[cell.task, cell.language])
        for number, sample in _samples(store, results, cell.identity):
            if (document := wanted.pop(number, None)) is not None:
                found.rows.append(MaskedAnswer(document, index, sample))
            if not wanted:
                break
    return found


def _size(score: TaskScore | None) -> int:
    return len(score.documents) if score else 0


def _samples(store: CellStore, results: Results, identity: str) -> Iterator[tuple[int, Answered]]:
    """Yield number and texts of a cell's samples, of the filter whose score the tables show."""
    score = results.scores[identity]
    metric, _, filter_name = score.metric.partition(",") if score else ("", "", "")
    for sample in store.samples(identity):
        try:
            if sample["filter"] != filter_name:
                continue
            number, texts = int(sample["doc_id"]), answered(sample, metric)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{store.path(identity)} is damaged", found=f"a sample with {type(error).__name__} {error}"
            ) from error
        yield number, texts
