"""Score extractive question answering."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mwork_eval.benchmarks.answers.squad import squad_exact_match, squad_f1
from mwork_eval.benchmarks.answers.text import contains, normalise
from mwork_eval.benchmarks.answers.words import units, words


def score(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Compare an answer with every gold answer and return the best of each measure, all in 0..1.

    ``acc``: a gold text occurs in the answer, beginning and ending where words do. ``exact_match`` and ``f1``: equality
    and overlap of words as in SQuAD's evaluation (Rajpurkar et al., 2016), but on text normalised for the language.
    ``squad_exact_match`` and ``squad_f1``: that evaluation's own numbers, its English normalisation included.

    Args:
        doc: With ``answers`` and ``language``.
        results: The generated text, as the only element.

    Raises:
        InputError: If the language is Thai and the extra ``thai`` is not installed.
    """
    language = doc["language"]
    answer = normalise(results[0], language)
    answer_units = units(answer, language)
    answer_words = words(answer, language)
    scores = {"acc": 0.0, "exact_match": 0.0, "f1": 0.0}
    for text in doc["answers"]:
        gold = normalise(text, language)
        gold_units = units(gold, language)
        found = {
            "acc": float(contains(answer_units, gold_units)),
            "exact_match": float(answer_units == gold_units),
            "f1": word_f1(words(gold, language), answer_words),
        }
        scores = {name: max(best, found[name]) for name, best in scores.items()}
    scores["squad_exact_match"] = squad_exact_match(results[0], doc["answers"])
    scores["squad_f1"] = squad_f1(results[0], doc["answers"])
    return scores


def word_f1(gold: Sequence[str], answer: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall of two bags of words; 0 if one of them is empty."""
    common = (Counter(gold) & Counter(answer)).total()
    return 2 * common / (len(gold) + len(answer)) if common else 0.0
