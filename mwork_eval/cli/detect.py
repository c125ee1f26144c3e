"""`mwork detect`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import steps
from mwork_eval.cli.options import corpus_options, languages_option, model_options, out_option, selection_options


@click.command()
@model_options
@corpus_options
@languages_option(None, "Use the embedded texts of these languages instead of --corpus.")
@selection_options
@out_option(None)
def detect(
    model: str,
    corpora: tuple[str, ...],
    languages: list[str] | None,
    max_docs: int,
    max_tokens: int,
    min_tokens: int,
    seed: int | None,
    out: Path,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    **selection: Any,
) -> None:
    """Score every neuron on free text and save scores and language-specific sets.

    Writes OUT/scores/LANGUAGE.safetensors and OUT/LANGUAGE.safetensors. A language whose score file is there
    already and comes from the same model and documents is not scored again.
    """
    rule = steps.make_selection(**selection)
    sources = steps.make_corpora(corpora, languages)
    from mwork_eval.models.loading import load_model

    loaded = load_model(model, device=device, dtype=dtype, device_map=device_map, revision=revision)
    steps.detect_sets(
        loaded,
        sources,
        rule,
        out,
        max_documents=max_docs,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        seed=seed,
    )
