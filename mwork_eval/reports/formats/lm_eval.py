"""The cells of a results folder as results folders of lm-eval: one per mask, for everything that reads those."""

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mwork_eval.matrix.plan import TaskFamily
from mwork_eval.results.lm_eval_files import write_lm_eval_files
from mwork_eval.results.store import CellStore
from mwork_eval.results.tables import Results
from mwork_eval.results.task_score import TaskScore

_NO_MASK = "no-mask"


def write_lm_eval_folders(results: Results, folder: Path) -> list[Path]:
    """Write the stored cells as lm-eval's files; folders that an earlier call wrote are replaced.

    Args:
        results: A results folder.
        folder: Where a folder per mask goes.

    Raises:
        InputError: If a stored cell is damaged or a file cannot be written.
    """
    masks: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for entry in (entry for part in ("cells", "cross") for entry in results.manifest.get(part, ())):
        if results.scores[entry["identity"]] is not None:
            key = tuple(entry[name] for name in ("preset", "setting", "mask_language", "seed"))
            key = key if entry["setting"] is not None else (None,) * 4
            masks[key][TaskFamily(entry["task"], ()).task(entry["language"])] = entry
    written = []
    for key, entries in masks.items():
        target = folder / _name(*key)
        shutil.rmtree(target, ignore_errors=True)
        written += _write(results, target, entries)
    return written


def _name(preset: str | None, setting: str | None, language: str | None, seed: int | None) -> str:
    if setting is None:
        return _NO_MASK
    parts = [preset, setting, language, None if seed is None else f"seed{seed}"]
    return re.sub(r"[^A-Za-z0-9]+", "-", " ".join(str(part) for part in parts if part is not None))


def _write(results: Results, target: Path, entries: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    store, manifest = CellStore(results.folder), results.manifest
    scores = {task: score for task, entry in entries.items() if (score := results.scores[entry["identity"]])}
    samples = {task: list(store.samples(entry["identity"])) for task, entry in entries.items()}
    about = {task: store.about(entry["identity"]).get("task", {}) for task, entry in entries.items()}
    first = next(iter(entries.values()))
    config = {
        "model": "mwork-hf",
        "model_args": {"pretrained": manifest["model"]},
        "limit": manifest["limit"],
        "mwork": {
            "model": manifest["model"],
            "fingerprint": manifest["fingerprint"],
            "masked": _masked(results, store, first),
            "double_bos": not store.begins_once(first["identity"]),
        },
    }
    content = {
        "results": {task: _metrics(task, score) for task, score in scores.items()},
        "higher_is_better": {
            task: {score.metric.partition(",")[0]: score.higher_is_better} for task, score in scores.items()
        },
        "n-samples": {
            task: {"original": len(score.documents), "effective": len(score.documents)}
            for task, score in scores.items()
        },
        "n-shot": {task: of_task["n_shot"] for task, of_task in about.items() if of_task},
        "versions": {task: of_task["version"] for task, of_task in about.items() if of_task},
        "configs": {
            task: about[task].get("config") or {"task": task, "metadata": {"data": manifest.get("data")}}
            for task in scores
        },
        "config": config,
        "date": (results.folder / "manifest.json").stat().st_mtime,
    }
    return write_lm_eval_files(target, str(manifest["model"]), content, samples)


def _metrics(task: str, score: TaskScore) -> dict[str, Any]:
    """Return lm-eval's metrics of a task, with the standard error of the main one."""
    name, _, filter_name = score.metric.partition(",")
    metrics = {"alias": task, **score.metrics}
    if (error := score.standard_error) is not None:
        metrics[f"{name}_stderr,{filter_name}"] = error
    return metrics


def _masked(results: Results, store: CellStore, entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what `mwork-hf` would say it deactivated."""
    masked = store.about(entry["identity"]).get("masked")
    if masked is None:
        return None
    presets = {preset["name"]: preset for preset in results.manifest["presets"]}
    settings = {setting["name"]: setting for setting in presets[entry["preset"]]["settings"]}
    positions = "+".join(settings[entry["setting"]]["positions"])
    return {
        "neurons": entry["mask_language"],
        "positions": "all" if positions.count("+") == 3 else positions,
        "random_control": entry["seed"],
        **masked,
    }
