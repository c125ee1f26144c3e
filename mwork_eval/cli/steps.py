"""The steps of detection that commands are made of, with their progress bars."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mwork_eval.errors import InputError
from mwork_eval.terminal.progress import TerminalProgress

if TYPE_CHECKING:
    from mwork_eval.detection.corpus.documents import DocumentRules
    from mwork_eval.detection.corpus.sources import Corpus
    from mwork_eval.detection.detect import Detection, DetectOptions, Groups
    from mwork_eval.detection.selection import Selection
    from mwork_eval.detection.workers import Workers
    from mwork_eval.models.loading import LoadedModel
    from mwork_eval.neurons.neuron_set import NeuronSet


def make_selection(
    fraction: float | None,
    top_k: int | None,
    threshold: dict[str, float] | None,
    specific: str,
    structures: str,
) -> "Selection":
    """Turn the selection options into a rule; the default fraction if none is given."""
    from mwork_eval.detection.selection import DEFAULT_FRACTION, Selection
    from mwork_eval.neurons.structures import parse_structures

    if fraction is None and top_k is None and threshold is None:
        fraction = DEFAULT_FRACTION
    return Selection(fraction, top_k, threshold, specific, parse_structures(structures))


def make_corpora(texts: Sequence[str], languages: Sequence[str] | None) -> "list[Corpus]":
    """Read `--corpus` options; without one, the embedded texts of the languages."""
    from mwork_eval.detection.corpus.sources import EMBEDDED, Corpus

    if not texts and not languages:
        raise InputError("no corpus given", expected="--corpus zh=FILE --corpus en=FILE, or --languages en,zh")
    corpora = [Corpus.parse(text) for text in texts or [f"{code}={EMBEDDED}" for code in languages or ()]]
    codes = [corpus.language for corpus in corpora]
    if len(set(codes)) < len(codes):
        raise InputError("two corpora for one language", found=" ".join(codes))
    return corpora


def make_rules(max_docs: int | None, check_language: bool, **rest: Any) -> "DocumentRules":
    """Turn the corpus options into rules; a missing extra fails here, before a model loads."""
    from mwork_eval.detection.corpus.documents import DocumentRules
    from mwork_eval.detection.corpus.language_check import require

    if check_language:
        require()
    return DocumentRules(max_documents=max_docs, check_language=check_language, **rest)


def detect_sets(
    loaded: "LoadedModel",
    corpora: "Sequence[Corpus]",
    rules: "DocumentRules",
    selection: "Selection",
    folder: Path,
    options: "DetectOptions",
    workers: "Workers | None" = None,
    set_draws: int | None = None,
) -> "dict[str, NeuronSet]":
    """Score the corpora, select, and write scores and sets (also of random halves); returns the sets by language."""
    from mwork_eval.detection.corpus.documents import DocumentStream
    from mwork_eval.detection.detect import score_languages
    from mwork_eval.detection.selection import select_specific
    from mwork_eval.detection.workers import Workers
    from mwork_eval.models.layout import Layout
    from mwork_eval.neurons.files import save_neuron_set

    workers = workers or Workers()
    _warn_of_held_out_text(corpora, rules)
    streams = [DocumentStream(corpus, loaded.tokenizer, rules) for corpus in corpora]
    layout = Layout.of(loaded.model)
    total = None if rules.max_documents is None else rules.max_documents * len(corpora)
    with TerminalProgress().bar("detect", total, show=workers.is_main) as advance:
        found = score_languages(
            layout,
            loaded.name,
            streams,
            folder,
            options,
            workers=workers,
            advance=lambda language, n: advance(f"{language} (documents)", n * workers.count),
        )
    if not workers.is_main:
        return {}
    for stream in streams:
        click.echo(stream.summary(), err=True)
    if found.unfinished:
        for path in found.unfinished:
            click.echo(f"{path}: part {options.shard[0] + 1} of {options.shard[1]}", err=True)
        click.echo(f"join the parts with `mwork scores merge FILE... --out {folder}`", err=True)
        return {}
    if options.groups == "stability":
        _report_stability(found, selection, folder)
    sets = select_specific(found.tables, selection)
    for language, neurons in sets.items():
        save_neuron_set(neurons, folder / f"{language}.safetensors")
        click.echo(
            f"{folder / language}.safetensors: {len(neurons)} neurons "
            f"({100 * len(neurons) / neurons.shape.switches:.2f} %)",
            err=True,
        )
    if set_draws is not None:
        _write_set_draws(found, selection, folder, set_draws)
    return sets


def groups_for(stability: bool, set_draws: int | None, shards: int = 1) -> "Groups":
    """Return which documents' scores a detection keeps apart.

    Raises:
        InputError: If two ways to keep them apart are asked for, or halves of documents that no single job sees.
    """
    if set_draws is not None and shards > 1:
        raise InputError("--set-draws needs the scores of all documents in one job", found=f"--shard of {shards}")
    if stability and set_draws is not None:
        raise InputError("--stability and --set-draws keep other documents apart", hint="give one of them at a time")
    return "stability" if stability else "all" if set_draws is None else "draws"


def _write_set_draws(found: "Detection", selection: "Selection", folder: Path, draws: int) -> None:
    """Write the sets of random halves of the documents, for `mwork ablate --set-draws`."""
    from mwork_eval.detection.set_draws import draw_sets
    from mwork_eval.neurons.drawn_sets import save_drawn_sets

    written = save_drawn_sets(draw_sets(found.parts, selection, draws), folder)
    click.echo(f"{written}: sets of {draws} random halves of the documents", err=True)


def _warn_of_held_out_text(corpora: "Sequence[Corpus]", rules: "DocumentRules") -> None:
    from mwork_eval.benchmarks.data import DETECTION_DOCUMENTS

    beyond = rules.max_documents is None or rules.max_documents > DETECTION_DOCUMENTS or rules.seed is not None
    if beyond and any(Path(corpus.source).parent.name == "corpus" for corpus in corpora):
        click.echo(
            f"note: bpb takes corpus/*.txt after the first {DETECTION_DOCUMENTS} documents as held-out text, and this "
            "detection reads some of them; keep a heldout/ folder beside corpus/ to be safe",
            err=True,
        )


def _report_stability(found: "Detection", selection: "Selection", folder: Path) -> None:
    """Measure stability where scores are new, add it to the score files, and print it for all."""
    from dataclasses import replace

    from rich.console import Console

    from mwork_eval.detection.stability import measure_stability
    from mwork_eval.terminal.stability import print_stability

    rows = measure_stability(found.parts, selection) if len(found.parts) == len(found.tables) else {}
    for number, table in enumerate(found.tables):
        language = table.about["language"]
        if len(found.parts) == len(found.tables):
            own = [row.to_json() for row in rows.get(language, [])]
            found.tables[number] = replace(table, about={**table.about, "stability": own})
            found.tables[number].save(folder / "scores" / f"{language}.safetensors")
    print_stability({t.about["language"]: t.about.get("stability", []) for t in found.tables}, Console())


def print_estimate(
    model: str, revision: str | None, corpora: "Sequence[Corpus]", rules: "DocumentRules", options: "DetectOptions"
) -> None:
    """Print what a detection would cost; reads the corpora and the model's configuration and tokenizer only."""
    from rich.console import Console

    from mwork_eval.detection.corpus.documents import DocumentStream
    from mwork_eval.detection.estimate import estimate_cost, measure_speed
    from mwork_eval.models.inspection import inspect_model
    from mwork_eval.models.loading import default_dtype, find_device, load_tokenizer
    from mwork_eval.terminal.estimates import print_cost

    inspection, device = inspect_model(model, revision), find_device()
    tokenizer = load_tokenizer(model, revision)
    streams = [DocumentStream(corpus, tokenizer, rules) for corpus in corpora]
    costs = [estimate_cost(inspection.layout, stream, options) for stream in streams]
    dtype = default_dtype(device)
    name = inspection.dtype if isinstance(dtype, str) else str(dtype).removeprefix("torch.")
    speed = measure_speed(device, name)
    print_cost(costs, [s.summary() for s in streams], speed, inspection.weight_bytes(name), options.memory, Console())
