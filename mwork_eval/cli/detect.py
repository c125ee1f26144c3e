"""`mwork detect`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import steps
from mwork_eval.cli.options import (
    corpus_options,
    languages_option,
    long_options,
    model_options,
    out_option,
    scoring_options,
    selection_options,
)


@click.command()
@model_options
@corpus_options
@languages_option(None, "Use the embedded texts of these languages instead of --corpus.")
@scoring_options
@selection_options
@long_options
@out_option(None)
def detect(
    model: str,
    corpora: tuple[str, ...],
    languages: list[str] | None,
    max_docs: int | None,
    max_tokens: int,
    min_tokens: int,
    seed: int | None,
    check_language: bool,
    method: str,
    memory: int,
    resume: bool,
    checkpoint_docs: int | None,
    shard: tuple[int, int],
    stability: bool,
    set_draws: int | None,
    dry_run: bool,
    out: Path,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    **selection: Any,
) -> None:
    """Score every neuron on free text and save scores and language-specific sets.

    Writes OUT/scores/LANGUAGE.safetensors and OUT/LANGUAGE.safetensors. A language whose score file is there
    already and comes from the same model and documents is not scored again. Under `accelerate launch` or torchrun
    the processes share the documents.
    """
    rule = steps.make_selection(**selection)
    sources = steps.make_corpora(corpora, languages)
    rules = steps.make_rules(max_docs, check_language, max_tokens=max_tokens, min_tokens=min_tokens, seed=seed)
    from mwork_eval.detection.detect import DetectOptions
    from mwork_eval.detection.workers import Workers

    options = DetectOptions(
        method=method,  # type: ignore[arg-type]
        memory=memory,
        shard=shard,
        resume=resume,
        checkpoint_documents=checkpoint_docs,
        groups=steps.groups_for(stability, set_draws, shard[1]),
    )
    if dry_run:
        steps.print_estimate(model, revision, sources, rules, options)
        return
    from mwork_eval.models.loading import load_model

    workers = Workers.join()
    device = device or workers.model_device
    loaded = load_model(model, device=device, dtype=dtype, device_map=device_map, revision=revision)
    steps.detect_sets(loaded, sources, rules, rule, out, options, workers, set_draws=set_draws)
