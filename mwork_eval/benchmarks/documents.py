"""Turn an upstream record into the document that a task shows and scores."""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from mwork_eval.benchmarks.answers.numbers import parse_number
from mwork_eval.benchmarks.excerpt import excerpt
from mwork_eval.languages.scripts import letters_per_sign
from mwork_eval.languages.table import ENGLISH, find_language

ARTICLE_LETTERS = 1500
"""Longest article put before the model, where a sign that says as much as several letters counts as many: 500 Chinese
characters. XL-Sum's summaries draw on the lead, and a prompt must stay affordable."""

Fields = dict[str, Any]


class MalformedRecordError(Exception):
    """A record that does not have the published shape; the whole file is suspect."""


class UnusableRecordError(Exception):
    """A well-formed record that cannot be scored, such as one without a gold answer."""


def xquad_document(row: Mapping[str, Any], language: str) -> Fields:
    """Return ``id``, ``paragraph``, ``context``, ``question`` and ``answers`` (the distinct gold texts).

    A byte order mark at the beginning of a context (a few have one upstream) is dropped.

    Raises:
        MalformedRecordError: If a field is missing.
        UnusableRecordError: If the question, the context or every answer is empty.
    """
    answers = [answer for answer in _column(row.get("answers"), "text", "answers") if answer.strip()]
    if not answers:
        raise UnusableRecordError("no answer")
    return {
        "id": _text(row, "id"),
        "paragraph": row["paragraph"],
        "context": _filled(_text(row, "context").lstrip("\ufeff"), "context"),
        "question": _filled(_text(row, "question"), "question"),
        "answers": list(dict.fromkeys(answers)),
    }


def mgsm_document(row: Mapping[str, Any], language: str) -> Fields:
    """Return ``question`` and ``answer`` (in plain digits) of a line ``question TAB answer``.

    Raises:
        MalformedRecordError: If the line has not two fields or the answer is no number.
    """
    fields = _text(row, "text").split("\t")
    if len(fields) != 2:
        raise MalformedRecordError(f"{len(fields)} tab-separated fields instead of question and answer")
    # The answers are written the English way ("2,125") in every language's file.
    answer = parse_number(fields[1].strip(), ENGLISH)
    if answer is None:
        raise MalformedRecordError(f"the answer {fields[1]!r} is no number")
    return {"question": _filled(fields[0].strip(), "question"), "answer": answer}


def mgsm_example(row: Mapping[str, Any], language: str) -> Fields:
    """Return ``question``, ``solution`` (steps and the sentence with the answer) and ``answer`` of an exemplar.

    Raises:
        MalformedRecordError: If a field is missing or the answer is no number.
        UnusableRecordError: If the question or the solution is empty.
    """
    answer = parse_number(_text(row, "answer"), ENGLISH)
    if answer is None:
        raise MalformedRecordError(f"the answer {row['answer']!r} is no number")
    return {
        "id": _text(row, "id"),
        "question": _filled(_text(row, "question"), "question"),
        "solution": _filled(_text(row, "solution"), "solution"),
        "answer": answer,
    }


def xcsqa_document(row: Mapping[str, Any], language: str) -> Fields:
    """Return ``id``, ``question``, ``choices`` (the option texts) and ``label`` (index of the right one).

    Raises:
        MalformedRecordError: If a field is missing.
        UnusableRecordError: If the question or an option is empty, or no option is the answer (the test split).
    """
    question = row.get("question")
    if not isinstance(question, Mapping):
        raise MalformedRecordError("no object 'question'")
    choices = [choice.strip() for choice in _column(question.get("choices"), "text", "choices")]
    labels = _column(question.get("choices"), "label", "choices")
    # An empty continuation has log-likelihood 0 and would win against every real option.
    if not all(choices):
        raise UnusableRecordError("empty option")
    if row.get("answerKey") not in labels:
        raise UnusableRecordError("no option is the answer")
    return {
        "id": _text(row, "id"),
        "question": _filled(_text(question, "stem").strip(), "question"),
        "choices": choices,
        "label": labels.index(row["answerKey"]),
    }


def xcsqa_letter_document(row: Mapping[str, Any], language: str) -> Fields:
    """Return what `xcsqa_document` does, with ``letters`` (`A`, `B`, …) and ``options``, a line ``A. text`` for each.

    Raises:
        MalformedRecordError: As `xcsqa_document`.
        UnusableRecordError: As `xcsqa_document`.
    """
    document = xcsqa_document(row, language)
    letters = list(ascii_uppercase[: len(document["choices"])])
    options = [f"{letter}. {choice}" for letter, choice in zip(letters, document["choices"], strict=True)]
    return {**document, "letters": letters, "options": "\n".join(options)}


def xlsum_document(row: Mapping[str, Any], language: str) -> Fields:
    """Return ``id``, ``text`` (the beginning of the article, see ``ARTICLE_LETTERS``) and ``summary``.

    Raises:
        MalformedRecordError: If a field is missing.
        UnusableRecordError: If the article or the summary is empty.
    """
    limit = ARTICLE_LETTERS // letters_per_sign(find_language(language).scripts[0])
    return {
        "id": _text(row, "id"),
        "text": _filled(excerpt(_text(row, "text"), limit), "article"),
        "summary": _filled(_text(row, "summary").strip(), "summary"),
    }


def bpb_document(row: Mapping[str, Any], language: str) -> Fields:
    """Return ``text``.

    Raises:
        MalformedRecordError: If the field is missing.
        UnusableRecordError: If the text is empty.
    """
    return {"text": _filled(_text(row, "text").strip(), "text")}


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise MalformedRecordError(f"no text under {key!r}, but {type(value).__name__}")
    return value


def _filled(text: str, noun: str) -> str:
    if not text.strip():
        raise UnusableRecordError(f"empty {noun}")
    return text


def _column(entries: Any, key: str, name: str) -> list[str]:
    """Return one field of all entries: files list objects, the hub's Parquet has one list per field."""
    if isinstance(entries, Mapping):
        values = entries.get(key)
    elif isinstance(entries, list):
        values = [entry.get(key) if isinstance(entry, Mapping) else None for entry in entries]
    else:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MalformedRecordError(f"no list of texts {key!r} under {name!r}")
    return values
