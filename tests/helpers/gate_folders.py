"""Results folders made by hand for the gate: scores by document, with samples that have lm-eval's hashes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.manifests import write_manifest
from helpers.report_folders import make_set
from mwork_eval.digests import digest_of
from mwork_eval.gate.check import Check, check_folders
from mwork_eval.gate.limits import Control, Limits, read_limits
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore

HASHES = ("doc", "prompt", "target")
Values = Sequence[float | tuple[float, float]]
"""Per document its score, or numerator and denominator."""
Masked = Mapping[tuple[str, str, int | None, str], Values]
"""By setting, mask language, seed and language."""


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def samples_of(task: str, count: int, **texts: str) -> list[dict[str, Any]]:
    """Samples of a task; `doc`, `prompt` and `target` change what their hashes are of."""
    return [
        {"doc_id": number, "filter": "none"}
        | {f"{part}_hash": hash_of(f"{task} {part} {number} {texts.get(part, '')}") for part in HASHES}
        for number in range(count)
    ]


def make_results(
    folder: Path,
    scores: Mapping[tuple[str, str], Values | None],
    *,
    masked: Masked | None = None,
    masked_task: str = "xquad",
    metric: str = "acc,none",
    documents: Mapping[tuple[str, str], tuple[str, str]] | None = None,
    sets: Mapping[str, int] | None = None,
    clusters: Sequence[str] = (),
    docs: Sequence[Mapping[str, Any]] = (),
    model: str = "tiny",
    **texts: str,
) -> Path:
    """Store a matrix.

    Args:
        folder: Where.
        scores: By benchmark and language, the unmasked scores; None for a cell that is not computed.
        masked: The scores under masks, of `masked_task`.
        masked_task: A benchmark.
        metric: The metric of all.
        documents: By benchmark and language, of which benchmark and language the documents are, if of others.
        sets: By language, the seed of a neuron set.
        clusters: What each document belongs to, in every unmasked score of as many documents.
        docs: The documents that samples keep, likewise.
        model: Name of the model.
        **texts: See `samples_of`.
    """
    store, cells = CellStore(folder), []

    def add(place: dict[str, Any], task: str, language: str, values: Values | None) -> None:
        identity = str(len(cells))
        cells.append(place | {"preset": "mine", "task": task, "language": language, "identity": identity})
        if values is None:
            return
        source = "_".join((documents or {}).get((task, language), (task, language)))
        samples = samples_of(source, len(values), **texts)
        digest = digest_of([[sample[f"{part}_hash"] for part in HASHES] for sample in samples])
        pairs = tuple(value if isinstance(value, tuple) else (float(value), 1.0) for value in values)
        keys = tuple(clusters) if len(clusters) == len(values) else ()
        score = TaskScore(metric, not metric.startswith("bits_per_byte"), pairs, {}, digest, keys)
        if len(docs) == len(values):
            samples = [sample | {"doc": doc} for sample, doc in zip(samples, docs, strict=True)]
        store.save(identity, score, {}, samples)

    for (task, language), values in scores.items():
        add({"setting": None, "mask_language": None, "seed": None}, task, language, values)
    for (setting, mask, seed, language), values in (masked or {}).items():
        add({"setting": setting, "mask_language": mask, "seed": seed}, masked_task, language, values)
    neurons = {language: make_set(language, seed) for language, seed in (sets or {}).items()}
    for language, of_language in neurons.items():
        save_neuron_set(of_language, folder / "neurons" / f"{language}.safetensors")
    rows = dict.fromkeys(setting for setting, *_ in masked or {})
    counts = dict.fromkeys((mask for _, mask, *_ in masked or {}), 5)
    preset = {
        "name": "mine",
        "settings": [{"name": row, "random": row.startswith("R "), "positions": list(POSITIONS)} for row in rows],
        "counts": counts | {language: len(of) for language, of in neurons.items()},
    }
    write_manifest(
        folder,
        model=model,
        cells=cells,
        presets=[preset],
        sets={language: {"digest": of.digest} for language, of in neurons.items()},
        tasks=[{"name": task, "languages": [], "missing": []} for task in dict.fromkeys(c["task"] for c in cells)],
    )
    return folder


def make_lm_eval(
    folder: Path,
    scores: Mapping[str, Values],
    *,
    date: str = "2026-01-02T03-04-05.000001",
    metric: str = "acc",
    model: str = "org/tiny",
    docs: Sequence[Mapping[str, Any]] = (),
    **texts: str,
) -> Path:
    """Write what `lm_eval --log_samples --output_path folder` writes, as far as the gate reads it."""
    inside = folder / model.replace("/", "__")
    inside.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"model_name": model, "results": {}, "n-samples": {}, "task_hashes": {}}
    for task, values in scores.items():
        samples = samples_of(task, len(values), **texts)
        for sample, value in zip(samples, values, strict=True):
            sample[metric] = value
        for sample, doc in zip(samples, docs, strict=False):
            sample["doc"] = doc
        text = "".join(json.dumps(sample) + "\n" for sample in samples)
        (inside / f"samples_{task}_{date}.jsonl").write_text(text)
        results["results"][task] = {"alias": task, f"{metric},none": sum(values) / len(values)}
        results["n-samples"][task] = {"original": len(values), "effective": len(values)}
        hashes = "".join(sample[f"{part}_hash"] for sample in samples for part in HASHES)
        results["task_hashes"][task] = hash_of(hashes)
    results["higher_is_better"] = {task: {metric: True} for task in scores}
    (inside / f"results_{date}.json").write_text(json.dumps(results))
    return folder


EN, ZH, ES = (("xquad", language) for language in ("en", "zh", "es"))


def answers(count: int, right: int) -> list[float]:
    return [1.0] * right + [0.0] * (count - right)


def check(
    old: Path,
    new: Path,
    limits: Limits | None = None,
    strict: bool = False,
    control: Control = Control.FAMILY_WISE,
) -> Check:
    return check_folders(old, new, limits or Limits(), strict, control)


def limits(path: Path, text: str) -> Limits:
    path.write_text(text, encoding="utf-8")
    return read_limits(path)


def problems(found: Check) -> str:
    assert found.exit_code == 2
    return "; ".join(f"{problem.subject}: {problem.reason}" for problem in found.problems)
