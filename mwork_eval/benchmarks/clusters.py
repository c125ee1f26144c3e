"""Which documents of a task belong together, so that statistics draw them together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.data import EMBEDDED, source_of
from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.errors import InputError


def cluster_keys(
    task: str, documents: Sequence[Mapping[str, Any]], data: str | Path | None = None, by: str | None = None
) -> tuple[str, ...]:
    """Return a key per document; documents of one key, in whatever language, are no independent observations.

    Questions about one paragraph share a key, and so do the translations of an item where a benchmark is parallel.
    Where it is not, the key holds the task's name, so that nothing is shared between languages.

    Args:
        task: Name of the lm-eval task.
        documents: Its documents.
        data: Where the data of one of our tasks come from, as `locate` takes it.
        by: Field of the documents that tells; without it, our own tasks know theirs, and every document of any other
            task is taken by itself. Documents of a field that is named are shared between the tasks of all languages.

    Raises:
        InputError: If a document lacks the field that was named.
    """
    located = task_of(task)
    if by is not None:
        if lacking := sum(by not in document for document in documents):
            raise InputError(
                f"{task} has no field {by!r} to cluster by",
                found=f"{lacking} of {len(documents)} documents without it",
                expected=" or ".join(map(str, documents[0])) if documents else None,
            )
        return tuple(str(document[by]) for document in documents)
    return _keys(task, documents, data, BENCHMARKS[located[0]].cluster if located else "")


def item_keys(task: str, documents: Sequence[Mapping[str, Any]], data: str | Path | None = None) -> tuple[str, ...]:
    """Return a key per document that its translations share, where a benchmark is parallel.

    Args:
        task: Name of the lm-eval task.
        documents: Its documents.
        data: As in `cluster_keys`.
    """
    return _keys(task, documents, data, "id" if task_of(task) else "")


def _keys(task: str, documents: Sequence[Mapping[str, Any]], data: str | Path | None, field: str) -> tuple[str, ...]:
    located = task_of(task)
    source = "embedded" if source_of(data) == EMBEDDED else "published"
    prefix = "" if located and source in BENCHMARKS[located[0]].parallel else f"{task} "
    # Documents of earlier versions, and of other tasks, lack the field.
    return tuple(f"{prefix}{document.get(field, number)}" for number, document in enumerate(documents))
