"""Read the benchmark files as they are published, one record at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import parse

Rows = Iterator[tuple[str, dict[str, Any]]]
"""Records in upstream shape, each with its place in the file, such as ``line 3``."""


def read_lines(path: Path) -> Rows:
    """Yield each line of a text file that is not blank as ``{"text": line}``.

    Raises:
        InputError: If the file cannot be read or is not UTF-8.
    """
    # Not splitlines(): it also breaks at U+2028 and U+0085, which occur inside documents.
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if line.strip():
            yield f"line {number}", {"text": line.rstrip("\r")}


def read_jsonl(path: Path) -> Rows:
    """Yield the objects of a JSON Lines file.

    Raises:
        InputError: If the file cannot be read, or a line is no JSON object; names file and line.
    """
    for place, row in read_lines(path):
        record = _parse_json(row["text"], f"{path}, {place}")
        if not isinstance(record, dict):
            raise InputError(f"{path}, {place}: not a JSON object", found=type(record).__name__, expected="one object")
        yield place, record


def read_squad(path: Path) -> Rows:
    """Yield the questions of a SQuAD 1.1 file as rows of ``id``, ``context``, ``question`` and ``answers``.

    Raises:
        InputError: If the file cannot be read, is no JSON, or lacks SQuAD's nesting; names the place.
    """
    content = _parse_json(_read_text(path), str(path))
    number = 0
    for article, article_place in _entries(content, "data", str(path), "article"):
        for paragraph, paragraph_place in _entries(article, "paragraphs", article_place, "paragraph"):
            for question, place in _entries(paragraph, "qas", paragraph_place, "question"):
                if not isinstance(question, dict):
                    raise _not_squad(place, question, "an object")
                number += 1
                yield f"question {number}", {"context": paragraph.get("context"), **question}


def number_paragraphs(rows: Rows) -> Rows:
    """Add to each question the number of its paragraph, ``paragraph``, from 1: a new context begins a new one.

    The number is the same in every language of a translated file; the context is not.
    """
    context, number = None, 0
    for place, row in rows:
        if row.get("context") != context or number == 0:
            context, number = row.get("context"), number + 1
        yield place, {**row, "paragraph": number}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8", found=f"a bad byte at {error.start}", expected="UTF-8 text") from error
    except OSError as error:
        raise InputError(f"cannot read {path}", found=error.strerror or str(error)) from error


def _parse_json(text: str, place: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise InputError(
            f"{place}: not JSON", found=error, expected="the file as published", hint="download it again"
        ) from error


def _entries(parent: Any, key: str, place: str, noun: str) -> Iterator[tuple[Any, str]]:
    entries = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(entries, list):
        raise _not_squad(place, entries, f"a list under {key!r}")
    for number, entry in enumerate(entries, 1):
        yield entry, f"{place}, {noun} {number}"


def _not_squad(place: str, found: object, expected: str) -> InputError:
    return InputError(
        f"{place}: not in SQuAD 1.1 form", found=type(found).__name__, expected=expected, hint="download the file again"
    )
