"""The manifest of a results folder: what its matrix consists of, and which cell stands for what."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from mwork_eval.errors import InputError
from mwork_eval.evaluation.sampling import FILE
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import all_seeds
from mwork_eval.matrix.planning import MatrixPlan
from mwork_eval.matrix.settings import Preset
from mwork_eval.neurons.comparison import compare_neurons
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import record_sets
from mwork_eval.results.store import MANIFEST, MANIFEST_FORMAT, MANIFEST_VERSION, PARTS, load_manifest, save_manifest
from mwork_eval.versions import software_versions


def record_matrix(
    folder: Path, facts: ModelFacts, sets: Mapping[str, NeuronSet], options: MatrixOptions, plan: MatrixPlan
) -> None:
    """Write the manifest of a matrix; tables that other commands left in the folder stay in it.

    The sets go into the folder too, so that reports find them, unless others are there.

    Raises:
        InputError: If the folder holds results of another model, tables of other sets, stages or data that this matrix
            does not replace, or a damaged manifest.
    """
    manifest = _describe(facts, sets, options, plan)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{MANIFEST}.lock"):
        save_manifest(folder, _with_earlier_tables(manifest, folder))
        record_sets(folder, sets)


def _with_earlier_tables(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Keep the tables that an earlier command with other presets left in the folder."""
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
    for was, now in _common_facts(earlier, manifest) if kept else ():
        if was != now:
            raise InputError(
                f"{folder} holds the tables {' '.join(preset['name'] for preset in kept)}, which were made otherwise",
                found=was,
                expected=now,
                hint="choose another --out, or make all tables with one command",
            )
    names = {preset["name"] for preset in kept}
    known = {family["name"] for family in manifest["tasks"]}
    return {
        **manifest,
        "sets": earlier["sets"] | manifest["sets"] if kept else manifest["sets"],
        "tasks": manifest["tasks"] + [family for family in earlier["tasks"] if kept and family["name"] not in known],
        "presets": kept + manifest["presets"],
        **{
            part: [cell for cell in earlier.get(part, ()) if cell["preset"] in names] + manifest[part] for part in PARTS
        },
    }


def _common_facts(earlier: dict[str, Any], manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the tables of a folder have in common, as it was and as it is."""
    for name in ("dtype", "data"):
        yield f"{name} {earlier[name]}", f"{name} {manifest[name]}"
    # Folders of earlier versions took the first documents of the file.
    yield f"documents {earlier.get('order', FILE)}", f"documents {manifest['order']}"
    for name in ("understanding", "generation"):
        yield f"{earlier['stages'][name]} {name} layers", f"{manifest['stages'][name]} {name} layers"
    for language in sorted(earlier["sets"].keys() & manifest["sets"].keys()):
        was, now = earlier["sets"][language]["digest"], manifest["sets"][language]["digest"]
        yield f"set {language} {was[:12]}", f"set {language} {now[:12]}"


def _describe(
    facts: ModelFacts, sets: Mapping[str, NeuronSet], options: MatrixOptions, plan: MatrixPlan
) -> dict[str, Any]:
    return {
        "format": MANIFEST_FORMAT,
        "version": MANIFEST_VERSION,
        "model": facts.name,
        "model_identity": facts.identity,
        "fingerprint": facts.fingerprint,
        "dtype": facts.dtype,
        "stages": asdict(plan.stages),
        "languages": list(options.languages),
        "limit": options.limit,
        "order": options.order,
        "seeds": list(all_seeds(plan.families)),
        "data": options.data,
        "versions": software_versions(),
        "sets": {
            language: {
                "digest": neurons.digest,
                "total": len(neurons),
                "by_position": neurons.by_position(plan.stages),
                "of": neurons.shape.switches,
                "about": dict(neurons.about),
            }
            for language, neurons in sets.items()
        },
        "tasks": [{"name": f.name, "languages": list(f.languages), "missing": list(f.missing)} for f in plan.families],
        "requests": {name: {"digest": task.digest, "count": task.requests} for name, task in plan.tasks.items()},
        "presets": [_describe_preset(preset, options, plan) for preset in options.presets],
        **{part: [entry for of_part, entry in _entries(plan) if of_part == part] for part in PARTS},
    }


def _entries(plan: MatrixPlan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each cell's part of the matrix, and what stands for it."""
    for preset, cell, identity in zip(plan.presets, plan.cells, plan.identities, strict=True):
        entry = {
            "preset": preset,
            "setting": cell.mask and cell.mask.setting.name,
            "mask_language": cell.mask and cell.mask.language,
            "seed": cell.mask and cell.mask.seed,
            "task": cell.family.name,
            "language": cell.language,
            "identity": identity,
        }
        more = {} if cell.mask is None else {"count": cell.mask.count, "draw": cell.mask.draw}
        yield cell.part, entry | {name: number for name, number in more.items() if number is not None}


def _describe_preset(preset: Preset, options: MatrixOptions, plan: MatrixPlan) -> dict[str, Any]:
    masks = plan.masks[preset.name]
    return {
        "name": preset.name,
        "table": preset.table,
        "ability": preset.ability,
        "limit": options.limit,
        "order": options.order,
        "seeds": {family.name: list(family.seeds or ()) for family in options.families(preset)},
        "controls": options.controls,
        "settings": [
            {"name": setting.name, "random": setting.random, "positions": list(setting.positions)}
            for setting in preset.settings
        ],
        "counts": {language: len(of_language[0].neurons) for language, of_language in masks.items()},
        "shared_hits": {
            language: {
                setting.name: [mask.neurons.about["shared_hits"] for mask in of_language if mask.setting == setting]
                for setting in preset.settings
                if setting.random
            }
            for language, of_language in masks.items()
        },
        **({"draw_overlaps": _draw_overlaps(preset, plan)} if options.set_draws else {}),
    }


def _draw_overlaps(preset: Preset, plan: MatrixPlan) -> dict[str, dict[str, list[float | None]]]:
    """Return, by row and mask language, the Jaccard index of what each draw's set and the table's deactivate."""
    whole = {
        (mask.setting, language): mask.neurons
        for language, of_language in plan.masks[preset.name].items()
        for mask in of_language
        if not mask.setting.random
    }
    # Every benchmark has the same masks.
    drawn = {
        (cell.mask.setting, cell.mask.language, cell.mask.draw): cell.mask.neurons
        for name, cell in zip(plan.presets, plan.cells, strict=True)
        if name == preset.name and cell.mask is not None and cell.mask.draw is not None
    }
    found: dict[str, dict[str, list[float | None]]] = {}
    for (setting, language, _), neurons in drawn.items():
        of_row = found.setdefault(setting.name, {}).setdefault(language, [])
        of_row.append(compare_neurons(neurons, whole[setting, language]).jaccard)
    return found
