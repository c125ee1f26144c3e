"""The benchmarks' rows: what there is, in which languages, and what reads and scores it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import yaml

from mwork_eval.detection.corpus.hub import presets
from mwork_eval.errors import InputError
from mwork_eval.languages.table import find_language, is_tag, rows

if TYPE_CHECKING:
    from mwork_eval.benchmarks.documents import Fields
    from mwork_eval.benchmarks.readers import Rows

DRAWS = 3
"""Random controls that are drawn for a benchmark or other task whose row does not say: enough to see their spread."""


@dataclass(frozen=True)
class ExamplesRow:
    """Where the few-shot examples of a benchmark are, apart from its documents.

    Attributes:
        files: Patterns of files below the data directory or the embedded texts, in order of preference.
        published: Whether the embedded ones are those published with the benchmark, so that every source takes them.
        hub: Arguments of ``datasets.load_dataset`` for documents of the hub.
        reader: Name of the function that reads such a file; the benchmark's own if None.
        document: Name of the function that makes a document of a record; the benchmark's own if None.
    """

    files: list[str]
    published: bool = False
    hub: dict[str, Any] | None = None
    reader: str | None = None
    document: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """One benchmark's row of ``benchmarks.yaml``.

    Functions are named by their dotted path, as in task files, and imported when they are first needed.

    Attributes:
        title: Name in messages.
        languages: Codes of the languages there are.
        files: Patterns of the published files below a data directory, in order of preference.
        reader: Name of the function that reads such a file.
        document: Name of the function that makes a document of a record.
        hub: Arguments of ``datasets.load_dataset``, with the same placeholders as `files`.
        metric: The main metric with its filter, such as `acc,none`.
        cluster: Field of a document that tells which documents belong together, such as questions about one paragraph.
        parallel: Of which sources (`published`, `embedded`) equal clusters are the same thing in every language.
        names: Upstream names of the languages where they are not the codes.
        names_of: The corpus of `detection/corpus/hub.yaml` that names the languages upstream instead, if one does.
        prepare: Name of the function that all records pass before documents are made of them, if there is one.
        generated: Whether the model writes its answer, so that it can be in a wrong language.
        word_scores: Whether its scores count words, so that a language without blanks needs what splits them.
        free_text: Whether any text will do: the head of a corpus is left to detection, articles of the hub are cut, and
            no data set is published under the benchmark's name.
        draws: How many random controls are drawn unless the user says.
        examples: Where its few-shot examples are; None if only other documents can serve.
    """

    title: str
    languages: list[str]
    files: list[str]
    reader: str
    document: str
    hub: dict[str, Any]
    metric: str
    cluster: str
    parallel: list[str]
    names: dict[str, str] = field(default_factory=dict)
    names_of: str | None = None
    prepare: str | None = None
    generated: bool = False
    word_scores: bool = False
    free_text: bool = False
    draws: int = DRAWS
    examples: ExamplesRow | None = None

    @cached_property
    def read(self) -> "Callable[[Path], Rows]":
        """The function that `reader` names."""
        return _function(self.reader)

    @cached_property
    def prepared(self) -> "Callable[[Rows], Rows]":
        """The function that `prepare` names; without one, records stay as they are."""
        return _function(self.prepare) if self.prepare else lambda rows: rows

    @cached_property
    def build(self) -> "Callable[[Mapping[str, Any], str], Fields]":
        """The function that `document` names."""
        return _function(self.document)

    def has(self, language: str) -> bool:
        """Say whether there is a language: of free text, each is."""
        return self.free_text or language in self.languages

    def languages_in(self, folder: Path) -> list[str]:
        """Return the languages whose files are in a data directory."""
        if self.free_text:
            stems = [path.stem for file in self.files for path in sorted(folder.glob(self.fill(file, "*")))]
            return [stem for stem in dict.fromkeys(stems) if is_tag(stem)]
        return [c for c in self.languages if any((folder / self.fill(file, c)).is_file() for file in self.files)]

    def fill(self, pattern: str, language: str) -> str:
        """Replace ``{language}`` and ``{name}`` in a pattern.

        Raises:
            InputError: If the language has no name upstream.
        """
        name = self._name(language) if "{name}" in pattern else None
        return pattern.format(language=language, name=name)

    def _name(self, language: str) -> str:
        if self.names_of is None:
            return self.names.get(language, language)
        if (name := presets()[self.names_of].name_of(language)) is None:
            raise InputError(
                f"{self.title} on the hub has no {find_language(language).name}",
                found=language,
                expected="a language that has a Wikipedia" if self.names_of == "wikipedia" else None,
                hint="name a directory with a file of it with `data=DIR`",
            )
        return name


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = resolve_name(name)
    return function


def _read_rows() -> dict[str, Benchmark]:
    rows = yaml.safe_load(Path(__file__).with_name("benchmarks.yaml").read_text(encoding="utf-8"))
    return {name: _row({**rows[row.pop("like")], **row} if "like" in row else row) for name, row in rows.items()}


def _row(row: dict[str, Any]) -> Benchmark:
    examples = row.get("examples")
    return Benchmark(**{**row, "examples": ExamplesRow(**examples) if examples else None})


BENCHMARKS: dict[str, Benchmark] = _read_rows()
"""The benchmarks by the first part of their tasks' names."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark's row.

    Raises:
        InputError: If there is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise InputError("unknown benchmark", found=repr(name), expected="one of " + " ".join(BENCHMARKS))
    return BENCHMARKS[name]


def draws_of(tasks: Iterable[str]) -> int:
    """Return how many random controls are drawn for lm-eval tasks unless the user says: the most of any of them."""
    located = [task_of(task) for task in tasks]
    return max((BENCHMARKS[one[0]].draws if one else DRAWS for one in located), default=DRAWS)


def task_of(name: str) -> tuple[str, str] | None:
    """Split a task name such as ``xquad_zh`` into benchmark and language.

    Returns:
        The pair, also where the benchmark lacks the language (``xquad_fr``), so that ``locate`` can say so; None if
        the name does not have this form. A benchmark of free text has every language, under its tag (``bpb_yue``);
        of the others, lm-eval may have ``xquad_ca``.
    """
    # Of `xcsqa` and `xcsqa_letter`, the longer name is meant.
    for benchmark in sorted(BENCHMARKS, key=len, reverse=True):
        if name.startswith(f"{benchmark}_"):
            language = name[len(benchmark) + 1 :]
            if language in rows() or (BENCHMARKS[benchmark].free_text and is_tag(language)):
                return benchmark, language
    return None
