"""Steps of `mwork lens`: look at tokens or at words, with a progress bar."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mwork_eval.cli.progress import progress
from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.analysis.shares import Curves
    from mwork_eval.models.layout import Layout
    from mwork_eval.models.loading import LoadedModel
    from mwork_eval.neurons.neuron_set import NeuronSet

    Masks = Mapping[str, Mapping[str, NeuronSet]]

Q = TypeVar("Q")
Look = Callable[..., "Curves"]
"""Takes queries, and by name their language, the mask's name and a function to call with the number just done."""


def languages_with_data(tasks: Sequence[str], languages: Sequence[str], data: str | None) -> list[str]:
    """Return the languages whose tasks' data is there, and say which are left out, and why.

    Args:
        tasks: Benchmarks, or patterns with `{l}`.
        languages: The languages asked for.
        data: Where the tasks' data comes from.

    Raises:
        InputError: If no language is left.
    """
    from mwork_eval.benchmarks.data import check_data
    from mwork_eval.benchmarks.task_family import task_name

    found = []
    for language in languages:
        try:
            check_data([task_name(task, language) for task in tasks], data)
        except InputError as error:
            if len(languages) == 1:
                raise
            click.echo(f"{language} is left out: {error}", err=True)
        else:
            found.append(language)
    if not found:
        raise InputError("no language has data", found=" ".join(languages), hint="see the messages above")
    return found


def look_at_tokens(
    loaded: "LoadedModel", prompts: Mapping[str, Sequence[str]], masks: "Masks", *, most: int, k: int, weight: Any
) -> "list[Curves]":
    """Look at the best tokens of every position.

    Args:
        loaded: The model.
        prompts: Texts by language.
        masks: Per language, by name, what is deactivated in turn.
        most: Tokens read of a text.
        k: Best tokens looked at.
        weight: `count` or `probability`.
    """
    from mwork_eval.analysis.queries import distinct_queries
    from mwork_eval.analysis.token_language import TokenClassifier
    from mwork_eval.analysis.tokens_lens import look_at_tokens
    from mwork_eval.models.layout import Layout

    layout = Layout.of(loaded.model)
    queries = {language: distinct_queries(loaded.tokenizer, texts, most) for language, texts in prompts.items()}
    for language, own in queries.items():
        if len(own) < (given := len(prompts[language])):
            cut = f"in their first {most} tokens, {given} queries are {len(own)} different ones"
            click.echo(f"{language}: {cut}", err=True)
    classifiers = {language: TokenClassifier(loaded.tokenizer, language) for language in prompts}

    def look(own: Sequence[list[int]], *, language: str, **how: Any) -> "Curves":
        return look_at_tokens(layout, classifiers[language], own, language=language, k=k, weight=weight, **how)

    return _look(layout, queries, masks, "queries", look)


def look_at_words(
    loaded: "LoadedModel", languages: Sequence[str], masks: "Masks", *, prompt: str, limit: int | None
) -> "list[Curves]":
    """Look at the probability of one word in both languages.

    Args:
        loaded: The model.
        languages: Languages of the queries.
        masks: Per language, by name, what is deactivated in turn.
        prompt: `translation` or `repetition`.
        limit: Words per language, or None for all.
    """
    from mwork_eval.analysis.word_list import load_word_list
    from mwork_eval.analysis.words_lens import WordTokens, look_at_words, word_queries
    from mwork_eval.models.layout import Layout

    layout, words, lookup = Layout.of(loaded.model), load_word_list(), WordTokens(loaded.tokenizer)
    queries = {}
    for language in languages:
        queries[language] = word_queries(loaded.tokenizer, lookup, words, language, prompt, limit)
        asked = min(limit or len(words.words), len(words.words))
        click.echo(f"{language}: {len(queries[language])} of {asked} words told from English", err=True)
    return _look(layout, queries, masks, "words", lambda own, **how: look_at_words(layout, own, **how))


def _look(
    layout: "Layout", queries: Mapping[str, Sequence[Q]], masks: "Masks", unit: str, look: Look
) -> "list[Curves]":
    from mwork_eval.analysis.lens import look_with_masks

    total = sum(len(own) * (1 + len(masks.get(language, {}))) for language, own in queries.items())
    with progress("lens", total) as advance:

        def looked(language: str, own: Sequence[Q], masked: str | None) -> "Curves":
            return look(
                own, language=language, masked=masked, advance=lambda done: advance(f"{language} ({unit})", done)
            )

        return list(look_with_masks(layout, queries, masks, looked))
