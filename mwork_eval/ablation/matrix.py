"""The matrix runner: one model, every cell once, each on disk before the next starts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mwork_eval
from mwork_eval.ablation.options import MatrixOptions
from mwork_eval.ablation.plan import Cell, Mask, TaskFamily, plan_cells, plan_masks
from mwork_eval.ablation.presets import Preset
from mwork_eval.ablation.store import (
    MANIFEST,
    MANIFEST_FORMAT,
    MANIFEST_VERSION,
    CellStore,
    load_manifest,
    save_manifest,
)
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.harness.evaluate import PreparedTask, evaluate_task, prepare_tasks
from mwork_eval.harness.model import MworkHF
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages


@dataclass(frozen=True)
class MatrixPlan:
    """A matrix ready to run.

    Attributes:
        masks: Per preset and language, the masks.
        cells: Every cell, repeated where presets share one.
        tasks: Per task name, the task with its documents.
        identities: Per cell, what identifies it.
    """

    masks: Mapping[str, Mapping[str, Sequence[Mask]]]
    cells: Sequence[tuple[Preset, Cell]]
    tasks: Mapping[str, PreparedTask]
    identities: Sequence[str]


def plan_matrix(
    model: MworkHF, model_name: str, sets: Mapping[str, NeuronSet], options: MatrixOptions, folder: Path
) -> MatrixPlan:
    """Plan a matrix, load the tasks' documents and write the manifest.

    Raises:
        InputError: If sets do not fit the model, tasks cannot be had, or a setting has no neurons.
    """
    shape = model.layout.shape
    for neurons in sets.values():
        check_fit(neurons, shape, model.fingerprint, model_name, force=options.force)
    stages = Stages.of(shape.layers, options.understanding_layers, options.generation_layers)
    masks = {preset.name: plan_masks(preset, sets, stages, options.seeds) for preset in options.presets}
    families = {preset.name: options.families(preset) for preset in options.presets}
    cells = [
        (preset, cell) for preset in options.presets for cell in plan_cells(masks[preset.name], families[preset.name])
    ]
    names = list(dict.fromkeys(cell.task for _, cell in cells))
    tasks = prepare_tasks(names, data=options.data, limit=options.limit)
    identities = [_identity(model, cell, tasks[cell.task]) for _, cell in cells]
    plan = MatrixPlan(masks, cells, tasks, identities)
    distinct = list({family.name: family for of_preset in families.values() for family in of_preset}.values())
    manifest = _manifest(model, model_name, sets, options, stages, distinct, plan)
    save_manifest(folder, _with_earlier_tables(manifest, folder))
    return plan


def run_matrix(
    model: MworkHF, plan: MatrixPlan, folder: Path, *, advance: Callable[[str, int], Any] = lambda label, done: None
) -> int:
    """Compute every cell that is not on disk yet.

    The model is masked in place for a cell and unmasked after it, also after an exception or Ctrl-C.

    Args:
        model: The model, unmasked.
        plan: What to compute.
        folder: The results folder.
        advance: Called with the label of the next cell and the number of cells just finished, 0 or 1.

    Returns:
        The number of cells computed.
    """
    store = CellStore(folder)
    try:
        todo = list(missing_cells(plan, store))
        for number, (identity, cell) in enumerate(todo):
            advance(cell.label, min(number, 1))
            if cell.mask is None:
                model.unmask()
            elif model.masked is None or model.masked["digest"] != cell.mask.neurons.digest_unordered:
                model.mask(cell.mask.neurons)
            score, samples = evaluate_task(model, plan.tasks[cell.task])
            store.save(identity, score, {"label": cell.label, "masked": model.masked}, samples)
    finally:
        model.unmask()
    if todo:
        advance("done", 1)
    return len(todo)


def missing_cells(plan: MatrixPlan, store: CellStore) -> Iterable[tuple[str, Cell]]:
    """Yield the identity and one cell of each score that is not stored yet, every score once."""
    seen: set[str] = set()
    for identity, (_, cell) in zip(plan.identities, plan.cells, strict=True):
        if identity not in seen and store.load(identity) is None:
            yield identity, cell
        seen.add(identity)


def _identity(model: MworkHF, cell: Cell, task: PreparedTask) -> str:
    """Digest of what determines a cell's score: the model, the mask, the documents and the software."""
    return digest_of(
        {
            "model": model.identity,
            "mask": None if cell.mask is None else cell.mask.neurons.digest_unordered,
            "task": task.name,
            "requests": task.digest,
            "versions": _versions(),
        }
    )


def _versions() -> dict[str, str]:
    return {"mwork_eval": mwork_eval.__version__} | {
        name: version(name) for name in ("lm_eval", "torch", "transformers")
    }


def _with_earlier_tables(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Keep the tables that an earlier command with other presets left in the folder.

    Raises:
        InputError: If they are of another model.
    """
    if not (folder / MANIFEST).is_file():
        return manifest
    earlier = load_manifest(folder)
    if earlier["fingerprint"] != manifest["fingerprint"]:
        raise InputError(
            f"{folder} holds results of another model",
            found=f"{earlier['model']} {earlier['fingerprint']}",
            expected=f"{manifest['model']} {manifest['fingerprint']}",
            hint="choose another --out",
        )
    kept = [preset for preset in earlier["presets"] if preset["name"] not in {p["name"] for p in manifest["presets"]}]
    names = {preset["name"] for preset in kept}
    known = {family["name"] for family in manifest["tasks"]}
    return {
        **manifest,
        "sets": earlier["sets"] | manifest["sets"] if kept else manifest["sets"],
        "tasks": manifest["tasks"] + [family for family in earlier["tasks"] if kept and family["name"] not in known],
        "presets": kept + manifest["presets"],
        "cells": [cell for cell in earlier["cells"] if cell["preset"] in names] + manifest["cells"],
    }


def _manifest(
    model: MworkHF,
    model_name: str,
    sets: Mapping[str, NeuronSet],
    options: MatrixOptions,
    stages: Stages,
    families: Sequence[TaskFamily],
    plan: MatrixPlan,
) -> dict[str, Any]:
    return {
        "format": MANIFEST_FORMAT,
        "version": MANIFEST_VERSION,
        "model": model_name,
        "fingerprint": model.fingerprint,
        "dtype": str(model.model.dtype),
        "stages": asdict(stages),
        "languages": list(options.languages),
        "limit": options.limit,
        "seeds": list(options.seeds),
        "data": options.data,
        "versions": _versions(),
        "sets": {
            language: {
                "digest": neurons.digest,
                "total": len(neurons),
                "by_position": neurons.by_position(stages),
                "of": neurons.shape.switches,
                "about": dict(neurons.about),
            }
            for language, neurons in sets.items()
        },
        "tasks": [{"name": f.name, "languages": list(f.languages), "missing": list(f.missing)} for f in families],
        "presets": [
            {
                "name": preset.name,
                "table": preset.table,
                "ability": preset.ability,
                "settings": [
                    {"name": setting.name, "random": setting.random, "positions": list(setting.positions)}
                    for setting in preset.settings
                ],
                "counts": {
                    language: len(of_language[0].neurons) for language, of_language in plan.masks[preset.name].items()
                },
            }
            for preset in options.presets
        ],
        "cells": [
            {
                "preset": preset.name,
                "setting": cell.mask and cell.mask.setting.name,
                "mask_language": cell.mask and cell.mask.language,
                "seed": cell.mask and cell.mask.seed,
                "task": cell.family.name,
                "language": cell.language,
                "identity": identity,
            }
            for (preset, cell), identity in zip(plan.cells, plan.identities, strict=True)
        ],
    }
