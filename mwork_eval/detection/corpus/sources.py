"""Where documents come from: text files, jsonl files, data sets of the hub, the embedded texts, and lists of texts."""

import random
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mwork_eval.detection.corpus.hub import PREFIX, HubSource
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import parse
from mwork_eval.languages.table import check_language, find_language
from mwork_eval.resources import embedded_folder

EMBEDDED = "embedded"
_FIELD = "text"
_SHOWN = 80
"""Characters that a message shows of what is a text and no name of a file."""


@dataclass(frozen=True)
class Corpus:
    """Free text of one language.

    Attributes:
        language: Its tag.
        source: A path to a text file (one document a line) or a `.jsonl` file (field `text`, or `PATH#FIELD`),
            `hub:NAME[:CONFIG[:SPLIT[:FIELD]]]`, `hub:PRESET` (a row of `hub.yaml`), or `embedded`.
    """

    language: str
    source: str

    @classmethod
    def parse(cls, text: str) -> "Corpus":
        """Read `LANGUAGE=SOURCE`.

        Raises:
            InputError: If the form is wrong, the language is unknown, or a file is missing.
        """
        language, equals, source = text.partition("=")
        if not equals or not source:
            raise InputError("cannot read a corpus", found=text, expected="LANGUAGE=SOURCE, such as zh=corpus/zh.txt")
        corpus = cls(check_language(language), source)
        corpus.check()
        return corpus

    @property
    def name(self) -> str:
        """Name for files and reports: the source without its folders."""
        return self.source if self._is_named else Path(self._path).name

    def check(self) -> None:
        """Fail early if a file is not there or a named corpus lacks the language; nothing is read or fetched.

        Raises:
            InputError: If the file or the language is missing.
        """
        if self.source.startswith(PREFIX):
            _ = self._hub
            return
        path = self._path
        try:
            is_text, there = False, path.is_file()
        except OSError:  # a name longer than a file system takes
            is_text, there = True, False
        if not there and self.source == EMBEDDED:
            raise InputError(
                f"the embedded texts have no {self.language} ({find_language(self.language).name})",
                expected=" ".join(sorted(file.stem for file in path.parent.glob("*.txt"))),
                hint=f"name a corpus of it, {self.language}=FILE or {self.language}={PREFIX}NAME",
            )
        if not there:
            name = str(path)
            is_text = is_text or "\n" in name
            raise InputError(
                f"no corpus for {self.language}",
                found=f"no file {f'{name[:_SHOWN]}…' if is_text and len(name) > _SHOWN else name}",
                expected=f"a text or jsonl file, {PREFIX}NAME, or {EMBEDDED}",
                hint="texts themselves are given as a list of them" if is_text else None,
            )

    def documents(self, seed: int | None = None) -> Iterator[str]:
        """Yield the documents: in order, or shuffled if a seed is given.

        A hub data set is streamed, and shuffled within a buffer of 10,000 documents.

        Raises:
            InputError: If the source cannot be read.
        """
        if self.source.startswith(PREFIX):
            return self._hub.documents(seed)
        self.check()
        lines = _lines(self._path) if seed is None else _shuffled_lines(self._path, seed)
        return _records(self._path, lines, self._field) if self._path.suffix == ".jsonl" else lines

    @property
    def _is_named(self) -> bool:
        return self.source == EMBEDDED or self.source.startswith(PREFIX)

    @property
    def _hub(self) -> HubSource:
        return HubSource.parse(self.source.removeprefix(PREFIX), self.language)

    @property
    def _path(self) -> Path:
        if self.source == EMBEDDED:
            return embedded_folder() / "corpus" / f"{self.language}.txt"
        return Path(self.source.partition("#")[0])

    @property
    def _field(self) -> str:
        return self.source.partition("#")[2] or _FIELD


@dataclass(frozen=True)
class TextsInMemory:
    """Free text of one language that lies in memory; stands wherever a `Corpus` does.

    Attributes:
        language: Its tag.
        texts: The documents; blank ones are left out, as blank lines of a file are.
    """

    language: str
    texts: tuple[str, ...]

    @property
    def source(self) -> str:
        """What messages call it."""
        return self.name

    @property
    def name(self) -> str:
        """Name for files and reports. Which texts they were, the digest in the same description tells."""
        return "memory"

    def documents(self, seed: int | None = None) -> Iterator[str]:
        """Yield the documents: in order, or shuffled as the lines of a file are."""
        texts = [text.strip() for text in self.texts if text.strip()]
        if seed is not None:
            random.Random(seed).shuffle(texts)
        return iter(texts)


AnyCorpus = Corpus | TextsInMemory
C = TypeVar("C", Corpus, AnyCorpus)


def parse_corpora(texts: Sequence[str], languages: Sequence[str] | None) -> list[Corpus]:
    """Read what `--corpus` options say; without one, take the embedded texts of the languages.

    Args:
        texts: `LANGUAGE=SOURCE` each.
        languages: Tags, or None.

    Raises:
        InputError: If there is neither, one cannot be read, or a language has two.
    """
    if not texts and not languages:
        raise InputError("no corpus given", expected="--corpus zh=FILE --corpus en=FILE, or --languages en,zh")
    return _each_once([Corpus.parse(text) for text in texts or [f"{code}={EMBEDDED}" for code in languages or ()]])


def corpora_of(texts: Mapping[str, str | Path | Iterable[str]]) -> list[AnyCorpus]:
    """Return the corpora that a Python caller means.

    Args:
        texts: By language, a source as `Corpus` has it, or the documents themselves.

    Raises:
        InputError: If there is none, a language is unknown or has two, a file is missing, or a document is no text.
    """
    if not texts:
        raise InputError("no texts given", expected="texts by language, such as {'en': [...], 'zh': 'zh.txt'}")
    return _each_once([_corpus_of(language, given) for language, given in texts.items()])


def _each_once(corpora: list[C]) -> list[C]:
    codes = [corpus.language for corpus in corpora]
    if len(set(codes)) < len(codes):
        raise InputError("two corpora for one language", found=" ".join(codes))
    return corpora


def _corpus_of(language: str, given: str | Path | Iterable[str]) -> AnyCorpus:
    if isinstance(given, (str, Path)):
        return Corpus.parse(f"{language}={given}")
    documents = tuple(given)
    if wrong := next((type(one).__name__ for one in documents if not isinstance(one, str)), None):
        raise InputError(f"a document of {language} is no text", found=wrong, expected="str")
    return TextsInMemory(check_language(language), documents)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from (line.strip() for line in file if line.strip())
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", found=str(error)) from error


def _shuffled_lines(path: Path, seed: int) -> Iterator[str]:
    """Yield the lines in random order; only their places are in memory, 8 bytes a line."""
    starts = array("q")
    with path.open("rb") as file:
        start = 0
        for line in file:
            if line.strip():
                starts.append(start)
            start += len(line)
        random.Random(seed).shuffle(starts)
        for start in starts:
            file.seek(start)
            try:
                yield file.readline().decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise InputError(f"{path} is not UTF-8 text", found=str(error)) from error


def _records(path: Path, lines: Iterable[str], field: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            text = parse(line)[field]
            if not isinstance(text, str):
                raise TypeError(f"{field!r} is no text but {text!r}")
            yield text
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}, record {number} cannot be read",
                found=f"{type(error).__name__}: {error}",
                expected=f"a JSON object with the field {field!r}",
                hint=f"another field is named as {path}#FIELD",
            ) from error
