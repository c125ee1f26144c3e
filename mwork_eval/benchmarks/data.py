"""Find and load a benchmark's data: a directory, the embedded texts, or the Hugging Face hub."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.benchmarks.answers.words import check_word_splitter
from mwork_eval.benchmarks.corpora import (
    DETECTION_DOCUMENTS,
    HUB_ARTICLE_CHARACTERS,
    HUB_ARTICLES,
    corpus_records,
    find_corpus,
    names_corpora,
)
from mwork_eval.benchmarks.documents import Fields, MalformedRecordError, UnusableRecordError
from mwork_eval.benchmarks.excerpt import excerpt
from mwork_eval.benchmarks.readers import Rows
from mwork_eval.benchmarks.rows import BENCHMARKS, Benchmark, find_benchmark, task_of
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.languages.table import check_language, find_language
from mwork_eval.resources import embedded_folder

if TYPE_CHECKING:
    import datasets

EMBEDDED = "embedded"
"""The word that selects the embedded texts instead of a directory."""

_HINT_SOURCE = (
    "name a directory with data='DIR' (--data DIR, --metadata data=DIR) or MWORK_DATA=DIR, or use data='embedded' "
    "(--metadata data=embedded)"
)

_log = logging.getLogger(__name__)


def published_dataset(task: str, data: str | None, path: str | None = None) -> str | None:
    """Return the data set on the hub that the documents of an lm-eval task are from.

    Args:
        task: The task.
        data: Where our tasks' data come from, as `locate` takes it.
        path: What another task's configuration calls `dataset_path`.

    Returns:
        Its id; None for the embedded texts, for texts of the user's, and for files that are on no hub.
    """
    if (located := task_of(task)) is None:
        # A drive or a backslash is a path of Windows.
        is_id = path and re.fullmatch(r"[\w.-]+/[\w.-]+", path) and not path.startswith(".")
        return path if is_id else None
    entry = BENCHMARKS[located[0]]
    if data == EMBEDDED or entry.free_text:
        return None
    source = str(entry.hub.get("data_files") or entry.hub["path"])
    return source.removeprefix("hf://datasets/").partition("@")[0]


def source_of(data: str | Path | None) -> str:
    """Return where data come from: a directory, `embedded`, or nothing for the hub."""
    return str(data or os.environ.get("MWORK_DATA") or "")


def check_data(tasks: Iterable[str], data: str | Path | None) -> None:
    """Fail early if the data of a task of ours is not there; other tasks are left to lm-eval.

    Args:
        tasks: Names of tasks.
        data: As `locate` takes it.

    Raises:
        InputError: As `locate` does.
    """
    for task in tasks:
        if (located := task_of(task)) is not None:
            locate(*located, data)


def locate(benchmark: str, language: str, data: str | Path | None = None) -> Path | None:
    """Check that a task can be had, before a model is loaded; reads no record and uses no network.

    Args:
        benchmark: One of ``BENCHMARKS``.
        language: Language code.
        data: A directory with the published files, ``embedded``, or for free text corpora such as
            ``ja=ja.txt,ko=hub:fineweb-2``; if None, ``MWORK_DATA`` says which.

    Returns:
        The file, or None if the data come from such a corpus, or from the hub since nothing names a source.

    Raises:
        InputError: If benchmark or language is unknown, the benchmark lacks the language, the directory or file is
            missing, or the language's words cannot be split for want of an extra.
    """
    entry = find_benchmark(benchmark)
    language = check_language(language)
    if not entry.has(language):
        name = find_language(language).name
        raise InputError(f"{entry.title} has no {name}", hint=f"it has {' '.join(entry.languages)}")
    if entry.word_scores:
        check_word_splitter(language)
    source = source_of(data)
    if not source:
        _hub_arguments(entry, language)
        return None
    if names_corpora(source):
        _find_corpus(entry, source, language)
        return None
    folder = embedded_folder() if source == EMBEDDED else Path(source).expanduser()
    if not folder.is_dir():
        raise InputError(
            "no such data directory", found=source, expected="a directory or the word embedded", hint=_HINT_SOURCE
        )
    if path := _existing(entry, folder, language):
        return path
    there = entry.languages_in(folder)
    raise InputError(
        f"no file of {entry.title} in {find_language(language).name}",
        found=f"in {folder} only {' '.join(there)}" if there else f"none in {folder}",
        expected=" or ".join(entry.fill(pattern, language) for pattern in entry.files),
        hint="add the file, or leave MWORK_DATA and data= out to use the hub",
    )


def load(
    benchmark: str, language: str, data: str | Path | None = None, **ignored: object
) -> "dict[str, datasets.Dataset]":
    """Load a task's documents; lm-eval calls this as ``custom_dataset``.

    Args:
        benchmark: One of ``BENCHMARKS``.
        language: Language code.
        data: See ``locate``.
        **ignored: What else stands in lm-eval's metadata, among it every model argument.

    Returns:
        One split, ``test``. Every document has ``id`` and ``language``, and the fields of its benchmark. The set's
        ``info`` says what `ExamplesOf` has to know.

    Raises:
        InputError: As ``locate``; also if a file is malformed (names the record), if fewer than half of the records
            can be used, or if the hub does not answer.
    """
    # Imported here: it takes a second, and a caller that only locates should not pay it.
    import datasets

    path = locate(benchmark, language, data)
    entry = BENCHMARKS[benchmark]
    if path is None and names_corpora(source_of(data)):
        corpus = _find_corpus(entry, source_of(data), language)
        source, rows = corpus.source, corpus_records(corpus)
    elif path is None:
        source = f"{entry.title} in {find_language(language).name} from the hub"
        rows = hub_rows(entry, language)
    else:
        source = str(path)
        rows = entry.read(path)
        if entry.free_text and path.parent.name == "corpus":
            rows = islice(rows, DETECTION_DOCUMENTS, None)
            source += f" without its first {DETECTION_DOCUMENTS} documents"
    info = datasets.DatasetInfo(dataset_name=benchmark, config_name=language, description=source_of(data))
    documents = build_documents(entry, language, entry.prepared(rows), source)
    return {"test": datasets.Dataset.from_list(documents, info=info)}


def build_documents(entry: Benchmark, language: str, rows: Rows, source: str) -> list[Fields]:
    """Return the documents of the usable records; report the others."""
    documents: list[Fields] = []
    unusable: Counter[str] = Counter()
    for place, row in rows:
        try:
            fields = entry.build(row, language)
        except MalformedRecordError as error:
            raise InputError(
                f"{source}, {place}: {error}", expected="the form it was published in", hint="download the file again"
            ) from error
        except UnusableRecordError as error:
            unusable[str(error)] += 1
            continue
        documents.append({"id": place, "language": language, **fields})
    left_out = sum(unusable.values())
    reasons = ", ".join(f"{count} x {reason}" for reason, count in unusable.most_common())
    if not documents or left_out > len(documents):
        raise InputError(
            f"{source}: too few usable records",
            found=f"{len(documents)} of {len(documents) + left_out}" + (f" ({reasons})" if reasons else ""),
            expected="at least half of them",
            hint="check that this is the split with answers, and complete",
        )
    if left_out:
        _log.warning("%s: left out %d of %d records: %s", source, left_out, left_out + len(documents), reasons)
    return documents


def hub_rows(entry: Benchmark, language: str) -> Rows:
    """Yield a benchmark's records from the hub."""
    for number, row in enumerate(_fetch(entry, language), 1):
        if entry.free_text:
            row = {"text": excerpt(str(row["text"]), HUB_ARTICLE_CHARACTERS)}
        yield f"record {number}", dict(row)


def _fetch(entry: Benchmark, language: str) -> Iterator[Mapping[str, Any]]:
    import datasets

    arguments = _hub_arguments(entry, language)
    try:
        rows = datasets.load_dataset(**arguments)
        # A streamed set is read while iterating, so the network can fail there too.
        yield from (islice(rows, DETECTION_DOCUMENTS, DETECTION_DOCUMENTS + HUB_ARTICLES) if entry.free_text else rows)
    # The hub client, its HTTP library and the file readers raise without a common base class.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise NotReachedError(
            f"cannot get {entry.title} in {find_language(language).name} from the Hugging Face hub",
            found=f"{type(error).__name__}: {reason}",
            hint=_HINT_SOURCE,
        ) from error


def _find_corpus(entry: Benchmark, source: str, language: str) -> Corpus:
    if not entry.free_text:
        raise InputError(
            f"{entry.title} is no free text", found=f"corpora, {source}", expected="a directory or the word embedded"
        )
    return find_corpus(source, language, entry.title)


def _hub_arguments(entry: Benchmark, language: str) -> dict[str, Any]:
    return {key: entry.fill(value, language) if isinstance(value, str) else value for key, value in entry.hub.items()}


def _existing(entry: Benchmark, folder: Path, language: str) -> Path | None:
    return existing_file(entry, entry.files, folder, language)


def existing_file(entry: Benchmark, patterns: Iterable[str], folder: Path, language: str) -> Path | None:
    """Return the first file of some patterns that is below a folder; None if there is none."""
    candidates = (folder / entry.fill(pattern, language) for pattern in patterns)
    return next((path for path in candidates if path.is_file()), None)
