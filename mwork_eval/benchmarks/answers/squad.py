"""Score answers exactly as the official evaluation script of SQuAD 1.1 does, whatever the language."""

import re
import string
from collections import Counter
from collections.abc import Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def squad_exact_match(answer: str, golds: Iterable[str]) -> float:
    """Return 1 if the normalised answer equals a normalised gold answer, else 0 (Rajpurkar et al., 2016)."""
    normalised = normalise(answer)
    return float(any(normalise(gold) == normalised for gold in golds))


def squad_f1(answer: str, golds: Iterable[str]) -> float:
    """Return the best F1 of an answer's words and a gold answer's, in 0..1 (Rajpurkar et al., 2016)."""
    words = normalise(answer).split()
    return max((_f1(words, normalise(gold).split()) for gold in golds), default=0.0)


def normalise(text: str) -> str:
    """Lower the case, drop ASCII punctuation and English articles, and make every blank a single space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _f1(answer: list[str], gold: list[str]) -> float:
    common = (Counter(answer) & Counter(gold)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(answer), common / len(gold)
    return 2 * precision * recall / (precision + recall)
