"""The documents behind the cells: prompt, right answer, and the answers without and under a mask, side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any

import jsonlines

from mwork_eval.errors import InputError
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
    cells: list[Mapping[str, Any]]
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
    finished = {e["identity"]: e for e in reversed(results.manifest["cells"]) if results.scores[e["identity"]]}
    masked = [entry for entry in reversed(finished.values()) if entry["setting"] is not None]
    baselines = {(e["task"], e["language"]): e for e in finished.values() if e["setting"] is None}
    shown = [e for e in masked[:: -(-len(masked) // most) or 1] if (e["task"], e["language"]) in baselines]
    each = max(1, most // max(1, len(shown)))
    store = CellStore(results.folder)

    found = SampleAnswers([], shown, [], sum(_size(results.scores[entry["identity"]]) for entry in masked))
    places: dict[tuple[str, str], dict[int, int]] = {}
    for task, language in dict.fromkeys((entry["task"], entry["language"]) for entry in shown):
        samples = _samples(store, results, baselines[task, language]["identity"])
        first = nsmallest(each, samples, key=lambda pair: pair[0])
        places[task, language] = {number: len(found.documents) + k for k, (number, _) in enumerate(first)}
        found.documents.extend(Document(task, language, number, sample) for number, sample in first)
    for index, entry in enumerate(shown):
        wanted = dict(places[entry["task"], entry["language"]])
        for number, sample in _samples(store, results, entry["identity"]):
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
    for sample in _lines(store.path(identity)):
        if sample["filter"] == filter_name:
            yield int(sample["doc_id"]), answered(sample, metric)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with jsonlines.open(path) as lines:
            lines.read(type=dict)
            yield from lines.iter(type=dict)
    except (jsonlines.Error, ValueError, EOFError) as error:
        raise InputError(f"{path} is damaged", found=error, hint="delete it; the cell is computed again") from error
