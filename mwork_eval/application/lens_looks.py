"""Look at the queries of all languages, under all of their masks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mwork_eval.analysis.lens import look_with_masks
from mwork_eval.analysis.queries import distinct_queries
from mwork_eval.analysis.shares import Curves
from mwork_eval.analysis.token_language import TokenClassifier
from mwork_eval.analysis.tokens_lens import look_at_tokens
from mwork_eval.analysis.word_list import load_word_list
from mwork_eval.analysis.words_lens import WordQuery, WordTokens, look_at_words, word_queries
from mwork_eval.application.progress import Progress
from mwork_eval.languages.pivot import Pivot
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

Masks = Mapping[str, Mapping[str, NeuronSet]]
Q = TypeVar("Q")


def look_at_texts(
    layout: Layout,
    tokenizer: Any,
    prompts: Mapping[str, Sequence[str]],
    masks: Masks,
    most: int,
    k: int,
    weight: str,
    pivot: str,
    progress: Progress,
) -> list[Curves]:
    """Tell the language of the best tokens at every position of queries, under each of their language's masks.

    Args:
        layout: The model.
        tokenizer: Its tokenizer.
        prompts: By language, the texts.
        masks: By language and name, what is deactivated beside nothing.
        most: Tokens that are read of a text.
        k: How many of the best tokens count.
        weight: How they count, as `look_at_tokens` takes it.
        pivot: The language that the queries' is compared with.
        progress: Where progress goes.
    """
    queries = {language: distinct_queries(tokenizer, texts, most) for language, texts in prompts.items()}
    for language, own in queries.items():
        if len(own) < (given := len(prompts[language])):
            cut = f"in their first {most} tokens, {given} queries are {len(own)} different ones"
            progress.tell(f"{language}: {cut}")
    classifiers = {language: TokenClassifier(tokenizer, language, pivot) for language in prompts}

    def look(own: Sequence[list[int]], *, language: str, **how: Any) -> Curves:
        return look_at_tokens(layout, classifiers[language], own, language=language, k=k, weight=weight, **how)

    return _look(layout, queries, masks, "queries", look, progress)


def look_at_words_of(
    layout: Layout,
    tokenizer: Any,
    languages: Sequence[str],
    masks: Masks,
    prompt: str,
    limit: int | None,
    pivot: str,
    progress: Progress,
) -> list[Curves]:
    """Tell how likely a word is in the language of a query and in the pivot, under each of the language's masks.

    Args:
        layout: The model.
        tokenizer: Its tokenizer.
        languages: The languages.
        masks: By language and name, what is deactivated beside nothing.
        prompt: Kind of the prompts, one of `PROMPTS`.
        limit: Words of each language; None for all.
        pivot: The language that theirs is compared with.
        progress: Where progress goes.
    """
    words, lookup = load_word_list(), WordTokens(tokenizer)
    queries = {}
    for language in languages:
        queries[language] = word_queries(tokenizer, lookup, words, language, prompt, limit, pivot)
        asked = min(limit or len(words.words), len(words.words))
        progress.tell(f"{language}: {len(queries[language])} of {asked} words told from {Pivot(pivot).name}")

    def look(own: Sequence[WordQuery], **how: Any) -> Curves:
        return look_at_words(layout, own, pivot=pivot, **how)

    return _look(layout, queries, masks, "words", look, progress)


def _look(
    layout: Layout,
    queries: Mapping[str, Sequence[Q]],
    masks: Masks,
    unit: str,
    look: Callable[..., Curves],
    progress: Progress,
) -> list[Curves]:
    """Look at queries with ``look``, which takes them and by name their language, the mask and how to advance."""
    total = sum(len(own) * (1 + len(masks.get(language, {}))) for language, own in queries.items())
    with progress.bar("lens", total) as advance:

        def looked(language: str, own: Sequence[Q], masked: str | None) -> Curves:
            return look(
                own, language=language, masked=masked, advance=lambda done: advance(f"{language} ({unit})", done)
            )

        return list(look_with_masks(layout, queries, masks, looked))
