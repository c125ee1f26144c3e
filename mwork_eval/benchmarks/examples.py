"""Few-shot examples: those published with a benchmark or kept apart from its documents, else other documents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.benchmarks.data import (
    EMBEDDED,
    build_documents,
    existing_file,
    hub_rows,
    load,
    locate,
    source_of,
)
from mwork_eval.benchmarks.documents import Fields
from mwork_eval.benchmarks.rows import Benchmark, find_benchmark, task_of
from mwork_eval.errors import InputError
from mwork_eval.resources import embedded_folder

if TYPE_CHECKING:
    import datasets

MOST = 200
"""Records that are read of a split of examples; there are thousands, and a prompt holds a handful."""


@dataclass(frozen=True)
class Examples:
    """Where the examples of one task come from; nothing is read before the first is drawn.

    Attributes:
        benchmark: Name of the benchmark.
        language: Language code.
        source: Where its documents come from, as `source_of` tells.
        others: The scored documents.
    """

    benchmark: str
    language: str
    source: str
    others: Sequence[Mapping[str, Any]] = field(repr=False, default=())

    @property
    def apart(self) -> bool:
        """Whether no scored document is among them."""
        return self._file is not None or self.on_hub

    @cached_property
    def documents(self) -> list[Mapping[str, Any]]:
        """The examples.

        Raises:
            InputError: If a file of examples is malformed, or the hub does not answer.
        """
        row, path = self._row, self._file
        if path is not None:
            return self._built(row, row.prepared(row.read(path)), str(path))
        if self.on_hub:
            return self._built(row, row.prepared(hub_rows(row, self.language)), f"examples of {row.title} from the hub")
        return list(self.others)

    def _built(self, row: Benchmark, rows: Any, source: str) -> list[Mapping[str, Any]]:
        found: list[Fields] = build_documents(row, self.language, islice(rows, MOST), source)
        return list(found)

    @cached_property
    def _row(self) -> Benchmark:
        """The benchmark's row, as far as its examples are read otherwise than its documents."""
        row = find_benchmark(self.benchmark)
        if (of := row.examples) is None:
            return row
        return replace(row, reader=of.reader or row.reader, document=of.document or row.document, hub=of.hub or row.hub)

    @cached_property
    def _file(self) -> Path | None:
        of = self._row.examples
        if of is None:
            return None
        own = [Path(self.source).expanduser()] if self.source and self.source != EMBEDDED else []
        shipped = [embedded_folder()] if of.published or self.source == EMBEDDED else []
        found = (existing_file(self._row, of.files, folder, self.language) for folder in (*own, *shipped))
        return next((path for path in found if path is not None), None)

    @property
    def on_hub(self) -> bool:
        """Whether they are downloaded."""
        of = self._row.examples
        return not self.source and of is not None and not of.published and of.hub is not None


class ExamplesOf(list[Examples]):
    """Where the examples for documents that `load` loaded come from: one entry, which the sampler opens when it draws.

    A class, and no function: lm-eval writes what a task file names into its results, a function with its address.

    Args:
        dataset: The documents.
    """

    def __init__(self, dataset: "datasets.Dataset") -> None:
        about = dataset.info
        super().__init__([Examples(about.dataset_name, about.config_name, about.description, dataset)])


def check_examples(tasks: Iterable[str], data: str | Path | None, count: int) -> None:
    """Fail before a model loads if tasks of ours have fewer few-shot examples than asked for.

    Examples on the hub, and of other tasks, are left to the time when prompts are built.

    Args:
        tasks: Names of lm-eval tasks.
        data: As `locate` takes it.
        count: Number of examples in a prompt.

    Raises:
        InputError: If there are too few, or the data is not there.
    """
    for task in tasks if count else ():
        if (located := task_of(task)) is None or find_benchmark(located[0]).free_text:
            continue
        examples = Examples(*located, source_of(data))
        if examples.apart and not examples.on_hub:
            there = len(examples.documents)
        elif locate(*located, data) is not None:
            there = len(load(*located, data)["test"]) - 1
        else:
            continue
        if there < count:
            raise too_few(task, there, count)


def too_few(task: str, found: int, expected: int) -> InputError:
    """Return the error of a prompt that asks for more examples than there are."""
    return InputError(
        f"{task} has too few documents to draw few-shot examples from",
        found=found,
        expected=f"{expected}, of other texts",
        hint="give a smaller `num_fewshot`",
    )
