"""The cells of a results folder as results folders of lm-eval: one per mask, for everything that reads those."""

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.task_family import TaskName, benchmark_name
from mwork_eval.digests import file_name
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.lm_eval_files import write_lm_eval_files
from mwork_eval.results.manifest import CellEntry, Manifest
from mwork_eval.results.store import CellStore
from mwork_eval.results.stored_cell import CellAbout
from mwork_eval.results.tables import Results
from mwork_eval.results.task_score import TaskScore

_NO_MASK = "no-mask"
_Mask = tuple[str | None, str | None, str | None, int | None]
"""Preset, setting, mask language and seed; all None without a mask."""


def write_lm_eval_folders(results: Results, folder: Path) -> list[Path]:
    """Write the stored cells as lm-eval's files; folders that an earlier call wrote are replaced.

    Args:
        results: A results folder.
        folder: Where a folder per mask goes.

    Raises:
        InputError: If a stored cell is damaged or a file cannot be written.
    """
    masks: dict[_Mask, dict[str, CellEntry]] = defaultdict(dict)
    for entry in (*results.manifest.cells, *results.manifest.cross):
        if results.scores[entry.identity] is not None:
            masks[_mask(entry)][results.manifest.task_name(entry.task, entry.language)] = entry
    written = []
    for key, entries in masks.items():
        target = folder / _name(*key)
        shutil.rmtree(target, ignore_errors=True)
        written += _write(results, target, entries)
    return written


def _mask(entry: CellEntry) -> _Mask:
    if entry.setting is None:
        return None, None, None, None
    return entry.preset, entry.setting, entry.mask_language, entry.seed


def _name(preset: str | None, setting: str | None, language: str | None, seed: int | None) -> str:
    if setting is None:
        return _NO_MASK
    parts = [preset, setting, language, None if seed is None else f"seed{seed}"]
    return file_name(re.sub(r"[^A-Za-z0-9]+", "-", " ".join(str(part) for part in parts if part is not None)))


def _write(results: Results, target: Path, entries: Mapping[str, CellEntry]) -> list[Path]:
    store, manifest = CellStore(results.folder), results.manifest
    cells = {task: cell for task, entry in entries.items() if (cell := store.read(entry.identity)) is not None}
    scores = {task: cell.score for task, cell in cells.items()}
    samples = {task: list(store.samples(entry.identity)) for task, entry in entries.items()}
    about = {task: cell.about.task for task, cell in cells.items() if cell.about.task is not None}
    entry, first = next(iter(entries.values())), next(iter(cells.values()))
    asked = manifest.prompting
    config = {
        "model": "mwork-hf",
        "model_args": {"pretrained": manifest.model, **manifest.model_args},
        "limit": _limit(manifest, entries),
        "mwork": {
            "model": manifest.model,
            "fingerprint": manifest.fingerprint,
            "masked": _masked(manifest, first.about, entry),
            "double_bos": not first.begins_once,
            **_named(entries),
        },
        **({"gen_kwargs": asked.gen_kwargs} if asked is not None and asked.gen_kwargs else {}),
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
        "n-shot": {task: of_task.n_shot for task, of_task in about.items()},
        "versions": {task: of_task.version for task, of_task in about.items()},
        "configs": {
            task: (task in about and about[task].config) or {"task": task, "metadata": {"data": manifest.data}}
            for task in scores
        },
        "config": config,
        "date": (results.folder / "manifest.json").stat().st_mtime,
    }
    return write_lm_eval_files(target, manifest.model, content, samples, asked)


def _limit(manifest: Manifest, entries: Mapping[str, CellEntry]) -> int | dict[str, int | None] | None:
    """Return the number of documents that tasks were limited to; by task, which lm-eval cannot, if it is not one."""
    limits: dict[str, int | None] = {}
    for task, entry in entries.items():
        preset, name = manifest.preset(entry.preset), benchmark_name(entry.task)
        of_preset = preset if preset.model_fields_set & {"limit", "limits"} else manifest
        limits[task] = of_preset.limits.get(name, of_preset.limit)
    one = {*limits.values()}
    return one.pop() if len(one) == 1 else limits


def _named(entries: Mapping[str, CellEntry]) -> dict[str, dict[str, tuple[str, str]]]:
    """Return benchmark and language of tasks whose names do not tell them; nothing if all do."""
    told = {task: (benchmark_name(entry.task), entry.language) for task, entry in entries.items()}
    named = {task: own for task, own in told.items() if ((of := TaskName.of(task)).task, of.language) != own}
    return {"tasks": named} if named else {}


def _metrics(task: str, score: TaskScore) -> dict[str, Any]:
    """Return lm-eval's metrics of a task, with the standard error of the main one."""
    name, _, filter_name = score.metric.partition(",")
    metrics = {"alias": task, **score.metrics}
    if (error := score.standard_error) is not None:
        metrics[f"{name}_stderr,{filter_name}"] = error
    return metrics


def _masked(manifest: Manifest, about: CellAbout, entry: CellEntry) -> dict[str, Any] | None:
    """Return what `mwork-hf` would say it deactivated."""
    if about.masked is None or entry.setting is None:
        return None
    row = next(row for row in manifest.preset(entry.preset).settings if row.name == entry.setting)
    return {
        "neurons": entry.mask_language,
        "positions": "all" if row.positions == POSITIONS else "+".join(row.positions),
        "random_control": entry.seed,
        **about.masked,
    }
