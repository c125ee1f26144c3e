"""Score one-sentence summaries."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from mwork_eval.benchmarks.answers.spelling import fold_with_signs
from mwork_eval.benchmarks.answers.text import summary_words

_ROUGE = ("rouge1", "rouge2", "rougeL")


class WordTokenizer:
    """Tokenizer for ``RougeScorer``; its own keeps a-z and 0-9 only and finds nothing in other scripts.

    Args:
        language: Code of the language of both texts.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def tokenize(self, text: str) -> list[str]:
        """Return the words, see ``summary_words``."""
        return summary_words(text, self.language)


def score(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Compare a summary with the document's, all measures in 0..1.

    ``rouge1``, ``rouge2``, ``rougeL``: F-measures (Lin, 2004) on the language's words, not stemmed. ``chrf``:
    sentence chrF (Popović, 2015; 6 characters, beta 2) divided by 100. Both on folded text (case, full width, digits,
    spellings of one word), chrF with its punctuation in plain form.

    Args:
        doc: With ``summary`` and ``language``.
        results: The generated text, as the only element.

    Raises:
        InputError: If the language is Thai and the extra ``thai`` is not installed.
    """
    summary = results[0].strip()
    language = doc["language"]
    rouge = _rouge_scorer(language).score(doc["summary"], summary)
    folded, gold = fold_with_signs(summary, language), fold_with_signs(doc["summary"], language)
    return {
        **{name: float(rouge[name].fmeasure) for name in _ROUGE},
        "chrf": float(_chrf().sentence_score(folded, [gold]).score) / 100,
    }


# Both imported late: every import of lm-eval registers our metrics, and must not pay for nltk and others.
@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


@cache
def _rouge_scorer(language: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(_ROUGE), tokenizer=WordTokenizer(language))
