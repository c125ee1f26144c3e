"""`mwork detect`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.options import (
    corpus_options,
    languages_option,
    long_options,
    model_options,
    out_option,
    pivot_option,
    scoring_options,
    selection_options,
    trust_option,
)
from mwork_eval.terminal.progress import TerminalProgress


@click.command()
@model_options
@trust_option
@corpus_options
@languages_option(None, "Use the embedded texts of these languages.  [default: none, but --corpus]")
@scoring_options
@selection_options
@pivot_option
@long_options
@out_option(None)
def detect(
    model: str,
    corpora: tuple[str, ...],
    languages: list[str] | None,
    max_docs: int | None,
    max_tokens: int,
    min_tokens: int,
    document_seed: int | None,
    check_language: bool,
    method: str,
    record: tuple[str, ...],
    max_memory: int,
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
    trust_remote_code: bool,
    activations: bool,
    **selection: Any,
) -> None:
    """Score every neuron on free text and save scores and language-specific sets.

    Writes OUT/scores/LANGUAGE.safetensors and OUT/LANGUAGE.safetensors. A language whose score file is there
    already and comes from the same model and documents is not scored again. Under `accelerate launch` or torchrun
    the processes share the documents.
    """
    from mwork_eval.detection.corpus.documents import DocumentRules
    from mwork_eval.detection.corpus.sources import parse_corpora
    from mwork_eval.detection.selection import Selection, check_scored, needed_records

    rule = Selection.of(**selection)
    sources = parse_corpora(corpora, languages)
    if rule.pivot is not None and shard == (0, 1):
        check_scored((corpus.language for corpus in sources), rule)
    rules = DocumentRules(max_docs, max_tokens, min_tokens, document_seed, check_language)

    from mwork_eval.application.detect import detect_corpora
    from mwork_eval.application.detection import add_stability, save_sets, stability_of
    from mwork_eval.application.detection_estimate import estimate_detection
    from mwork_eval.detection.detect import DetectOptions, groups_for
    from mwork_eval.detection.workers import Workers
    from mwork_eval.models.loading import load_model
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.estimates import print_cost
    from mwork_eval.terminal.stability import print_stability

    options = DetectOptions(
        method=method,
        recorded=needed_records(rule, activations=activations, asked=record),
        memory=max_memory,
        shard=shard,
        resume=resume,
        checkpoint_documents=checkpoint_docs,
        groups=groups_for(stability, set_draws, shard[1]),
    )
    if dry_run:
        cost = estimate_detection(model, revision, sources, rules, options, trust_remote_code=trust_remote_code)
        print_cost(cost.costs, cost.summaries, cost.speed, cost.weights, cost.memory, make_console())
        return
    workers, progress = Workers.join(), TerminalProgress()
    device = device or workers.model_device
    loaded = load_model(
        model,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    found = detect_corpora(
        loaded, sources, rules, options, out, workers=workers, set_draws=set_draws, progress=progress
    )
    if found is None:
        return
    if stability:
        found = add_stability(found, rule, out)
        print_stability(stability_of(found), make_console())
    save_sets(found, rule, out, progress.tell, activations=activations)
