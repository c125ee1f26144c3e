"""The detection loop: score every document of every language's corpus, one model for all."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mwork_eval
from mwork_eval.detection import plnd
from mwork_eval.detection.corpora import Sample
from mwork_eval.detection.score_table import ScoreAccumulator, ScoreTable
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout


def score_language(
    layout: Layout, model_name: str, sample: Sample, *, advance: Callable[[int], Any] = lambda tokens: None
) -> ScoreTable:
    """Score all neurons over the documents of one language.

    Args:
        layout: The model.
        model_name: Its name, for the file.
        sample: The documents.
        advance: Called after each document with its number of tokens.

    Raises:
        InputError: If a score is not finite, as happens when a float16 model overflows.
    """
    accumulator = ScoreAccumulator(layout.shape)
    for number, ids in enumerate(sample.token_ids):
        found = plnd.score_document(layout, ids)
        try:
            accumulator.add({place: scores.numpy() for place, scores in found.items()})
        except ValueError as error:
            raise InputError(
                f"document {number} of {sample.corpus.language} cannot be scored",
                found=error,
                hint="load the model with --dtype float32 or bfloat16",
            ) from error
        advance(len(ids))
    return accumulator.table(describe(layout, model_name, sample))


def score_languages(
    layout: Layout,
    model_name: str,
    samples: Sequence[Sample],
    folder: Path,
    *,
    advance: Callable[[str, int], Any] = lambda language, tokens: None,
) -> list[ScoreTable]:
    """Score several languages and write `FOLDER/scores/LANGUAGE.safetensors` as soon as each is done.

    A score file that says it comes from the same model, documents and method is taken as it is.

    Args:
        layout: The model.
        model_name: Its name, for the files.
        samples: The documents of each language.
        folder: Where to write.
        advance: Called after each document with the language and the number of tokens.
    """
    tables = []
    for sample in samples:
        language = sample.corpus.language
        path = folder / "scores" / f"{language}.safetensors"
        table = _finished(path, describe(layout, model_name, sample))
        if table is None:
            table = score_language(layout, model_name, sample, advance=partial(advance, language))
            table.save(path)
        else:
            advance(language, sample.tokens)
        tables.append(table)
    return tables


def _finished(path: Path, about: dict[str, Any]) -> ScoreTable | None:
    if not path.is_file():
        return None
    try:
        table = ScoreTable.load(path)
    except InputError:
        return None
    return table if about.items() <= table.about.items() else None


def describe(layout: Layout, model_name: str, sample: Sample) -> dict[str, Any]:
    """Return what a score file says of itself, apart from the scores."""
    corpus = sample.corpus
    return {
        "language": corpus.language,
        "model": model_name,
        "fingerprint": fingerprint_of(layout.model),
        "dtype": str(layout.weight(0, "q").dtype).removeprefix("torch."),
        "method": plnd.METHOD,
        "corpus": {
            "name": corpus.name,
            "digest": sample.digest,
            "skipped": sample.skipped,
            "seed": sample.seed,
            "max_tokens": sample.max_tokens,
        },
        "tokens": sample.tokens,
        "mwork_eval": mwork_eval.__version__,
    }
