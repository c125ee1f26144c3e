"""The detection loop: score every document of every language's corpus, one model for all."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

from mwork_eval.detection.corpus.batches import Batch, make_batches
from mwork_eval.detection.corpus.documents import DocumentStream
from mwork_eval.detection.partial import PartialScores, difference
from mwork_eval.detection.recording.memory import check_rows
from mwork_eval.detection.recording.pass_recorder import PassRecorder
from mwork_eval.detection.recording.registry import RECORDED
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.scoring.methods import check_method
from mwork_eval.detection.set_draws import group_of_draw
from mwork_eval.detection.stability import group_of
from mwork_eval.detection.workers import Workers
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.missing_structures import describe_mixers
from mwork_eval.versions import __version__

Groups = Literal["all", "stability", "draws"]
_GROUP_OF: dict[Groups, Callable[[int], str]] = {
    "all": lambda number: "all",
    "stability": group_of,
    "draws": group_of_draw,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectOptions:
    """How documents are scored.

    Attributes:
        method: One of `METHODS`.
        recorded: What is recorded beside the scores, some of `RECORDS` in their order.
        memory: Bytes that scoring may take apart from the model's weights.
        shard: The share of the batches that this job does, from 0, and the number of jobs.
        resume: Whether to go on from a checkpoint; without it an unfinished language starts anew.
        checkpoint_seconds: Longest time between two checkpoints.
        checkpoint_documents: Most documents between two checkpoints, or None.
        groups: Which documents' scores are kept apart: `stability` to measure it, `draws` to draw halves of them.
    """

    method: str = "exact"
    memory: int = 2**30
    shard: tuple[int, int] = (0, 1)
    resume: bool = False
    checkpoint_seconds: float = 60.0
    checkpoint_documents: int | None = None
    groups: Groups = "all"
    recorded: tuple[str, ...] = ()


def groups_for(stability: bool, set_draws: int | None, shards: int = 1) -> Groups:
    """Return which documents' scores a detection keeps apart.

    Raises:
        InputError: If two ways to keep them apart are asked for, or halves of documents that no single job sees.
    """
    if set_draws is not None and shards > 1:
        raise InputError("--set-draws needs the scores of all documents in one job", found=f"--shard of {shards}")
    if stability and set_draws is not None:
        raise InputError("--stability and --set-draws keep other documents apart", hint="give one of them at a time")
    return "stability" if stability else "all" if set_draws is None else "draws"


@dataclass
class ScoredLanguages:
    """What scoring the corpora gave.

    Attributes:
        tables: Finished scores, one per language; complete in the main process only.
        parts: The unjoined scores of the languages scored now; a finished file is not taken apart.
        unfinished: Files of shards, to be joined by `mwork scores merge`.
    """

    tables: list[ScoreTable] = field(default_factory=list)
    parts: dict[str, PartialScores] = field(default_factory=dict)
    unfinished: list[Path] = field(default_factory=list)


def score_languages(
    layout: Layout,
    model_name: str,
    streams: Sequence[DocumentStream],
    folder: Path | None,
    options: DetectOptions | None = None,
    *,
    workers: Workers | None = None,
    advance: Callable[[str, int], Any] = lambda language, documents: None,
) -> ScoredLanguages:
    """Score several languages and write `FOLDER/scores/LANGUAGE.safetensors` as soon as each is done.

    A score file that says it comes from the same model, corpus and method is taken as it is.

    Args:
        layout: The model.
        model_name: Its name, for the files.
        streams: The documents of each language.
        folder: Where to write; None writes nothing, neither scores nor checkpoints, and there can be no shards.
        options: How to score.
        workers: The processes that share the work; each gets the same result.
        advance: Called after each batch with the language and the number of documents.

    Raises:
        InputError: If a corpus is unusable, a checkpoint does not fit, or a score is not finite.
    """
    options, workers = options or DetectOptions(), workers or Workers()
    if folder is None and options.shard[1] > 1:
        raise ValueError("a shard is a file and needs a folder")
    check_method(options.method)
    recorder = PassRecorder(layout, options.method, options.memory // 2, options.recorded)  # type: ignore[arg-type]
    scored = ScoredLanguages()
    about = _about_model(layout, model_name, options.method)
    for stream in streams:
        language = stream.corpus.language
        path = None if folder is None else folder / "scores" / f"{language}.safetensors"
        run = _describe_run(layout, about, stream, options)
        table = _finished(path, run["about"], stream, options) if workers.is_main else None
        if workers.agree(table is not None):
            if table is not None:
                advance(language, table.about["documents"])
                scored.tables.append(table)
            continue
        check_rows(layout.shape, stream, options.recorded, options.memory)
        part = _score_stream(layout, recorder, stream, run, path, options, workers, advance)
        if path is not None and options.shard[1] > 1:
            scored.unfinished.append(part_path(path, options.shard))
            continue
        part = workers.merge(part)
        scored.parts[language] = part
        scored.tables.append(part.table())
        missing = scored.tables[-1].about.get("not_recorded")
        if missing and workers.is_main and len(scored.parts) == 1:
            log.warning("%s cannot be recorded, and is 0 in the records", ", ".join(missing))
        if path is None:
            continue
        if workers.is_main:
            scored.tables[-1].save(path)
        workers.wait()
        part_path(path, _share(options, workers)).unlink(missing_ok=True)
    return scored


def part_path(path: Path, shard: tuple[int, int]) -> Path:
    """Return where the checkpoint or shard of a score file is kept."""
    index, count = shard
    share = "" if count == 1 else f".{index + 1}-of-{count}"
    return path.with_name(f"{path.stem}{share}.partial.safetensors")


def _share(options: DetectOptions, workers: Workers) -> tuple[int, int]:
    """Return the share of the batches that this process of this job does."""
    (index, count), own = options.shard, workers.index
    return index * workers.count + own, count * workers.count


def _score_stream(
    layout: Layout,
    recorder: PassRecorder,
    stream: DocumentStream,
    run: Mapping[str, Any],
    path: Path | None,
    options: DetectOptions,
    workers: Workers,
    advance: Callable[[str, int], Any],
) -> PartialScores:
    share = _share(options, workers)
    checkpoint = None if path is None else part_path(path, share)
    part = _resumed(checkpoint, run) if checkpoint is not None and options.resume else None
    if checkpoint is not None and checkpoint.is_file() and not options.resume:
        log.warning(
            "%s is left from an interrupted run; `mwork detect --resume` would have gone on from it", checkpoint
        )
    if part is None:
        part = PartialScores(layout.shape, run, share)
    saved_at, saved_documents, language = time.monotonic(), part.documents, stream.corpus.language
    if part.complete:
        advance(language, part.documents)
        return part
    done = part.batches
    for number, batch in enumerate(make_batches(stream, run["batch_tokens"]), 1):
        own = (number - 1) % share[1] == share[0]
        if number > done and own:
            _add(part, recorder, batch, stream, _GROUP_OF[options.groups])
        if number >= done:
            if number == done and part.corpus["digest"] != stream.digest:
                raise InputError(
                    f"cannot resume {language}",
                    found="other documents than those scored so far",
                    expected=f"{stream.corpus.name} as it was",
                    hint="leave out --resume to score anew",
                )
            part.batches, part.corpus = number, _read_so_far(stream)
        if own:
            advance(language, len(batch.token_ids))
        enough = options.checkpoint_documents
        if (checkpoint is not None and number > done) and (
            time.monotonic() - saved_at > options.checkpoint_seconds
            or (enough is not None and part.documents - saved_documents >= enough)
        ):
            part.save(checkpoint)
            saved_at, saved_documents = time.monotonic(), part.documents
    part.corpus, part.complete = _read_so_far(stream), True
    if checkpoint is not None and share[1] > 1:
        part.save(checkpoint)
    return part


def _add(
    part: PartialScores, recorder: PassRecorder, batch: Batch, stream: DocumentStream, group: Callable[[int], str]
) -> None:
    observed = recorder.observe(batch.token_ids, batch.numbers, stream.bos)
    for number, found in zip(batch.numbers, observed, strict=True):
        try:
            part.group(group(number)).add(found)
        except ValueError as error:
            raise InputError(
                f"document {number} of {stream.corpus.language} cannot be scored",
                found=error,
                hint="load the model with `dtype=float32` or bfloat16",
            ) from error


def _resumed(checkpoint: Path, run: Mapping[str, Any]) -> PartialScores | None:
    if not checkpoint.is_file():
        return None
    part = PartialScores.load(checkpoint)
    if part.run != run:
        raise InputError(
            f"cannot resume from {checkpoint}",
            found=difference("changed", part.run, run),
            expected="the same model, corpus and options",
            hint="leave out --resume to score anew",
        )
    return part


def _read_so_far(stream: DocumentStream) -> dict[str, Any]:
    description = stream.describe()
    counts = ("digest", "skipped", "duplicates", "wrong_language")
    return {"tokens": stream.tokens, **{key: description[key] for key in counts if key in description}}


def _finished(
    path: Path | None, about: Mapping[str, Any], stream: DocumentStream, options: DetectOptions
) -> ScoreTable | None:
    """Return a finished table of the same run; the corpus is read to compare, but nothing is scored.

    None if the scores of groups of documents are wanted that a table does not keep.
    """
    if path is None or options.shard[1] > 1 or not path.is_file():
        return None
    try:
        table = ScoreTable.load(path)
    except InputError:
        return None
    apart = dict.fromkeys(("corpus", RECORDED))  # it may hold more than is asked for
    known = {**about, **apart}.items() <= {**table.about, **apart}.items()
    known = known and set(options.recorded) <= set(table.about.get(RECORDED, ()))
    if not known or options.groups == "draws" or (options.groups == "stability" and "stability" not in table.about):
        return None
    if not about["corpus"].items() <= table.about["corpus"].items():
        return None
    for _ in stream:
        pass
    return table if _read_so_far(stream)["digest"] == table.about["corpus"]["digest"] else None


def _about_model(layout: Layout, model_name: str, method: str) -> dict[str, Any]:
    return {
        "model": model_name,
        "fingerprint": fingerprint_of(layout.model),
        "dtype": layout.dtype,
        "method": method,
        **describe_mixers(layout.other_mixers, layout.shape.sizes),
        "mwork_eval": __version__,
    }


def _describe_run(
    layout: Layout, about: Mapping[str, Any], stream: DocumentStream, options: DetectOptions
) -> dict[str, Any]:
    """Return all that determines the scores of a corpus and is known before it is read."""
    corpus = {key: value for key, value in stream.describe().items() if key not in _read_so_far(stream)}
    recorded = {RECORDED: list(options.recorded)} if options.recorded else {}
    return {
        "about": {**about, "language": stream.corpus.language, "corpus": corpus, **recorded},
        "max_documents": stream.rules.max_documents,
        "check_language": stream.rules.check_language,
        "batch_tokens": batch_tokens(layout, options.memory // 2),
        "memory": options.memory,
        "groups": options.groups,
    }


def batch_tokens(layout: Layout, memory: int) -> int:
    """Return how many tokens go through the model at a time so that their activations take about ``memory`` bytes."""
    per_token = 4 * max(
        8 * sizes.get("o", 0) + 2 * sizes.get("q", 0) + 4 * sizes.get("up", 0) // max(experts, 1)
        for sizes, experts in zip(layout.shape.sizes, layout.shape.experts or repeat(1), strict=False)
    )
    return max(1, min(_MOST_TOKENS, memory // per_token))


_MOST_TOKENS = 2048
"""More tokens at a time gain nothing on a CPU."""
