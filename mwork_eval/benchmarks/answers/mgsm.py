"""Filter and score grade-school mathematics with chain of thought."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mwork_eval.benchmarks.answers.numbers import last_number, stated_number

NO_NUMBER = "[invalid]"
"""What a filter returns where it finds no number; lm-eval's own filters use the same word."""

Responses = Iterable[Sequence[str]]


def strict_match(responses: Responses, docs: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Take from each response the number of the sentence "The answer is N" in the document's language.

    A filter for lm-eval's ``custom``: ``responses`` holds one sequence per document, and so does the result.
    """
    return _extract(stated_number, responses, docs)


def flexible_extract(responses: Responses, docs: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Take from each response its last number, read as the document's language writes numbers.

    A filter for lm-eval's ``custom``: ``responses`` holds one sequence per document, and so does the result.
    """
    return _extract(last_number, responses, docs)


def score(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Return ``exact_match``: 1 if the extracted number equals the answer in value, else 0.

    Args:
        doc: With ``answer`` in the form of ``parse_number``.
        results: The filtered response, as the only element.
    """
    return {"exact_match": float(results[0] == doc["answer"])}


def _extract(
    find: Callable[[str, str], str | None], responses: Responses, docs: Iterable[Mapping[str, Any]]
) -> list[list[str]]:
    return [
        [find(response, doc["language"]) or NO_NUMBER for response in of_document]
        for of_document, doc in zip(responses, docs, strict=True)
    ]
