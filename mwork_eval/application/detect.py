"""Find the neurons that carry languages: score every neuron on texts."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import folder_to_write, names_of, one_of, whole_number
from mwork_eval.application.detection import Detection, save_sets
from mwork_eval.application.object_arguments import check_in_memory, check_texts, check_tokenizer
from mwork_eval.application.progress import Progress, ProgressChoice, shown
from mwork_eval.application.self_check import check_layout
from mwork_eval.benchmarks.corpora import DETECTION_DOCUMENTS
from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import AnyCorpus, corpora_of
from mwork_eval.detection.detect import DetectOptions, groups_for, score_languages
from mwork_eval.detection.recording.registry import parse_records
from mwork_eval.detection.scoring.methods import METHODS
from mwork_eval.detection.selection import Selection
from mwork_eval.detection.workers import Workers
from mwork_eval.errors import InputError
from mwork_eval.interventions.running import alone_with
from mwork_eval.models.layout import Layout, uncompiled
from mwork_eval.models.loading import LoadedModel, name_of
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.models.tokens import kept_tokenizer
from mwork_eval.sizes import parse_size

log = logging.getLogger(__name__)


def detect(
    model: Any,
    tokenizer: Any,
    texts: Mapping[str, str | Path | Iterable[str]],
    *,
    method: str = "exact",
    record: str | Iterable[str] = (),
    max_docs: int | None = 24,
    max_tokens: int = 128,
    min_tokens: int = 16,
    document_seed: int | None = None,
    check_language: bool = False,
    max_memory: int | str | None = None,
    out: Path | str | None = None,
    set_draws: int | None = None,
    progress: ProgressChoice = None,
) -> Detection:
    """Score every neuron of a model on free text (PLND, Eq. 1, arXiv:2402.18815).

    The model stays where and what it is: device, dtype, hooks and adapters; its own hooks are called. Afterwards its
    weights, its modes and its configuration are what they were, also after an exception. Nothing is written unless
    ``out`` is given.

    Args:
        model: A causal language model of transformers, also one wrapped by peft.
        tokenizer: Its tokenizer.
        texts: By language, the documents: a list of texts, a file (a text file with a document a line, or
            `.jsonl`, or `.jsonl#FIELD`), a corpus of the hub (`hub:NAME[:CONFIG[:SPLIT[:FIELD]]]`, `hub:fineweb-2`),
            or `embedded`. Sets that are specific to a language need the pivot (English, if not chosen), too.
        method: How q and k are scored: `exact`, `paper` (Eq. 8 to 10), or `reference` (as the published code).
        record: What is recorded in the same pass beside the scores, for detectors other than PLND: some of
            `activations` (how often a neuron is above zero, means and mean squares), `responses` (its mean in each
            document) and `attributions` (|activation x gradient|; a pass back for each document), or `all`.
        max_docs: Documents per language, or None for all.
        max_tokens: Tokens kept of a document.
        min_tokens: Shorter documents are skipped and counted.
        document_seed: Takes the documents of each corpus in a random order; in its own if not given.
        check_language: Drop documents in another language; needs the extra `[langid]`.
        max_memory: What scoring may take beside the weights, in bytes or as `2GiB`; 1 GiB if not given.
        out: A folder that gets what `mwork detect` writes: the scores of each language as soon as it is done, and the
            sets that `Detection.select` selects by default. Scores that are there already, of the same model, texts
            and options, are read and not made anew.
        set_draws: Also keep groups of documents apart, for sets of this many random halves of them
            (`Detection.select_draws`).
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.

    Returns:
        The scores; `select` makes neuron sets of them.

    Raises:
        InputError: If the family is not supported, weights are quantised or offloaded, a corpus cannot be read or has
            too few usable documents, or a score is not finite.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=4)
        >>> found
        <Detection: en 4 documents, 512 tokens; zh 4 documents, 512 tokens>
        >>> found.select(fraction=0.4)["zh"].about["language"]
        'zh'
    """
    check_in_memory(model, "detect")
    check_tokenizer(tokenizer)
    check_texts(texts)
    max_docs = whole_number("max_docs", max_docs, at_least=1, none_is="all")
    max_tokens = whole_number("max_tokens", max_tokens, at_least=1)
    min_tokens = whole_number("min_tokens", min_tokens, at_least=0)
    document_seed = whole_number("document_seed", document_seed, at_least=0, none_is="the order of the corpus")
    set_draws = whole_number("set_draws", set_draws, at_least=2, none_is="no draws")
    folder = folder_to_write(out)
    one_of("method of detection", method, METHODS)
    budget = parse_size(str(max_memory), "max_memory") if max_memory is not None else DetectOptions.memory
    groups = groups_for(stability=False, set_draws=set_draws)
    options = DetectOptions(method, budget, groups=groups, recorded=_records_of(record))
    rules = DocumentRules(max_docs, max_tokens, min_tokens, document_seed, check_language)
    loaded = LoadedModel(name_of(model), uncompiled(model), tokenizer)
    corpora, progress = corpora_of(texts), shown(progress)
    with alone_with(loaded.model), kept_tokenizer(tokenizer):
        found = detect_corpora(loaded, corpora, rules, options, folder, set_draws=set_draws, progress=progress)
    if found is None:
        raise InputError("this process is one of several", hint="`mwork detect` shares the work among them")
    if folder is not None:
        try:
            save_sets(found, Selection.of(), folder, progress.tell)
        except InputError as error:  # the scores are good for other rules
            log.warning("%s has scores and no sets, for the default rule gives none: %s", folder, error)
    return found


def _records_of(record: Any) -> tuple[str, ...]:
    """Return the names of records in their order.

    Raises:
        InputError: If there is none of a name.
    """
    return parse_records(",".join(names_of("record", record)))


def detect_corpora(
    loaded: LoadedModel,
    corpora: Sequence[AnyCorpus],
    rules: DocumentRules,
    options: DetectOptions,
    folder: Path | None,
    *,
    workers: Workers | None = None,
    set_draws: int | None = None,
    progress: Progress,
) -> Detection | None:
    """Score corpora, and say what was read and left out of each.

    Args:
        loaded: The model; as `detect` leaves it.
        corpora: One a language.
        rules: Which documents are used.
        options: How they are scored.
        folder: Where scores and checkpoints go; None writes nothing.
        workers: The processes that share the work; this one alone if not given.
        set_draws: How many random halves of the documents sets are selected from later, or None.
        progress: Where progress goes.

    Returns:
        The scores, or None where this process has none to show: it is not the first, or did a shard.

    Raises:
        InputError: As `detect` does.
    """
    workers = workers or Workers()
    _warn_of_held_out_text(corpora, rules, progress)
    streams = [DocumentStream(corpus, loaded.tokenizer, rules) for corpus in corpora]
    layout = Layout.of(loaded.model)
    total = None if rules.max_documents is None else rules.max_documents * len(corpora)
    with evaluation_mode(loaded.model):
        check_layout(layout, loaded.name, loaded.tokenizer, progress.tell if workers.is_main else lambda _: None)
    with evaluation_mode(loaded.model), progress.bar("detect", total, show=workers.is_main) as advance:
        scored = score_languages(
            layout,
            loaded.name,
            streams,
            folder,
            options,
            workers=workers,
            advance=lambda language, n: advance(f"{language} (documents)", n * workers.count),
        )
    if not workers.is_main:
        return None
    for stream in streams:
        progress.tell(stream.summary())
    if scored.unfinished:
        for path in scored.unfinished:
            progress.tell(f"{path}: part {options.shard[0] + 1} of {options.shard[1]}")
        progress.tell(f"join the parts with `mwork scores merge FILE... --out {folder}`")
        return None
    return Detection({table.about["language"]: table for table in scored.tables}, scored.parts, set_draws)


def _warn_of_held_out_text(corpora: Sequence[AnyCorpus], rules: DocumentRules, progress: Progress) -> None:
    beyond = rules.max_documents is None or rules.max_documents > DETECTION_DOCUMENTS or rules.seed is not None
    if beyond and any(Path(corpus.source).parent.name == "corpus" for corpus in corpora):
        progress.tell(
            f"note: bpb takes corpus/*.txt after the first {DETECTION_DOCUMENTS} documents as held-out text, and this "
            "detection reads some of them; keep a heldout/ folder beside corpus/ to be safe"
        )
