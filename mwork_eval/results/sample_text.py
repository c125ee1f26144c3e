"""One of lm-eval's samples as short texts: what was asked, what is right, what was answered."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mwork_eval.digests import canonical_json

PROMPT_LENGTH = 600
ANSWER_LENGTH = 400
"""Characters kept of a text; the middle of a longer one is left out, because questions stand at the end of prompts."""


@dataclass(frozen=True)
class Answered:
    """A sample.

    Attributes:
        prompt: What the model was given, shortened.
        gold: The right answer, shortened; empty where there is none, as with bits per byte.
        answer: What the model answered, shortened: the text it wrote, the option it found most likely, or bits per
            byte of the text.
        score: The document's score as lm-eval gives it; bits per byte for that metric.
        whole_answer: The answer as it was, to compare by.
    """

    prompt: str
    gold: str
    answer: str
    score: float
    whole_answer: str


def answered(sample: Mapping[str, Any], metric: str) -> Answered:
    """Read a sample.

    Args:
        sample: One of lm-eval's samples, as JSON keeps it.
        metric: Name of the metric whose score is shown.
    """
    score = _score(sample[metric], metric)
    arguments, first = sample["arguments"], sample["resps"][0][0]
    if isinstance(first, Sequence) and not isinstance(first, str):
        options = _options(arguments)
        likelihoods = [float(response[0][0]) for response in sample["resps"]]
        answer = options[likelihoods.index(max(likelihoods))] if len(options) > 1 else _greedy(options[0], first)
        gold = _gold(sample["target"], options)
    elif isinstance(first, str):
        answer, gold = first, _gold(sample["target"], ())
    else:
        answer, gold = f"{score:.3f} bits per byte" if metric == "bits_per_byte" else f"{first:.3f}", ""
    return Answered(
        prompt=shorten(str(arguments[0][0]), PROMPT_LENGTH),
        gold=shorten(gold, ANSWER_LENGTH),
        answer=shorten(answer, ANSWER_LENGTH),
        score=score,
        whole_answer=answer,
    )


def shorten(text: str, length: int) -> str:
    """Return a text with its middle left out if it is longer than that, saying how much; for a file in UTF-8."""
    whole = text.encode("utf-8", "replace").decode()
    if len(whole) <= length:
        return whole
    half = length // 2
    return f"{whole[:half]} […{len(whole) - 2 * half:,} characters left out…] {whole[-half:]}"


def _score(value: Any, metric: str) -> float:
    """Return a document's score; lm-eval keeps (log-likelihood, bytes) for bits per byte."""
    if metric == "bits_per_byte":
        loglikelihood, size = value
        return -float(loglikelihood) / math.log(2) / float(size)
    return float(value)


def _options(arguments: Sequence[Sequence[Any]]) -> list[str]:
    """Return what tells the options apart: their texts, or their contexts where the texts are equal."""
    texts = [str(argument[-1]).strip() for argument in arguments]
    return texts if len(set(texts)) > 1 or len(texts) == 1 else [str(argument[0]) for argument in arguments]


def _greedy(text: str, response: Sequence[Any]) -> str:
    return f"{text} ({'the' if response[1] else 'not the'} likeliest, {float(response[0]):.2f} nats)"


def _gold(target: Any, options: Sequence[str]) -> str:
    """Return the right answer: of a choice the option's text, of several right answers all."""
    if isinstance(target, int) and 0 <= target < len(options):
        return options[target]
    if isinstance(target, list):
        return " | ".join(map(str, target))
    return target.strip() if isinstance(target, str) else canonical_json(target)
