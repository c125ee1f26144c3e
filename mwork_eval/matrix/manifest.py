"""The manifest of a results folder: what its matrix consists of, and which cell stands for what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.earlier_tables import with_earlier_tables
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.own_sets import every_set
from mwork_eval.matrix.plan import Cell, all_seeds
from mwork_eval.matrix.planning import MatrixPlan
from mwork_eval.matrix.settings import Preset
from mwork_eval.neurons.comparison import compare_neurons
from mwork_eval.neurons.missing_structures import lacking_of
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import record_preset_sets, record_sets
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.manifest import (
    PARTS,
    CellEntry,
    Manifest,
    PresetEntry,
    RequestsEntry,
    SettingEntry,
    TaskEntry,
)
from mwork_eval.results.set_entry import SetEntry
from mwork_eval.results.store import MANIFEST, save_manifest
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
        save_manifest(folder, with_earlier_tables(manifest, folder, plan, repair=options.repair))
        record_sets(folder, sets)
        for preset, own in options.own_sets.items():
            record_preset_sets(folder, preset, own.sets)


def _limits(options: MatrixOptions) -> dict[str, Any]:
    """Return what a manifest says of limits by benchmark; nothing if there are none."""
    return {"limits": dict(options.limits)} if options.limits else {}


def _describe(facts: ModelFacts, sets: Mapping[str, NeuronSet], options: MatrixOptions, plan: MatrixPlan) -> Manifest:
    cells: dict[str, list[CellEntry]] = {part: [] for part in PARTS}
    for preset, cell, identity in zip(plan.presets, plan.cells, plan.identities, strict=True):
        cells[cell.part].append(_describe_cell(preset, cell, identity))
    listed: dict[str, Any] = {part: tuple(of_part) for part, of_part in cells.items()}
    if plan.source.metrics:
        listed["metrics"] = dict(plan.source.metrics)
    if options.pivot != ENGLISH:
        # Folders whose pivot is English do not say so, nor did those of earlier versions.
        listed["pivot"] = options.pivot
    if facts.engine:
        listed["engine"] = dict(facts.engine)
    if lacking := lacking_of(every_set(sets, options.own_sets)):
        listed["lacking"] = lacking
    return Manifest(
        model=facts.name,
        model_identity=facts.identity,
        fingerprint=facts.fingerprint,
        dtype=facts.dtype,
        stages=plan.stages,
        languages=options.languages,
        limit=options.limit,
        order=options.order,
        seeds=all_seeds(plan.families),
        data=options.data,
        versions=software_versions(),
        sets=_describe_sets(sets, plan.stages),
        tasks=tuple(map(TaskEntry.of, plan.families)),
        requests={name: RequestsEntry(digest=task.digest, count=task.requests) for name, task in plan.tasks.items()},
        presets=tuple(_describe_preset(preset, options, plan) for preset in options.presets),
        **_limits(options),
        **_describe_asking(options),
        **listed,
    )


def _describe_sets(sets: Mapping[str, NeuronSet], stages: Stages) -> dict[str, SetEntry]:
    return {
        language: SetEntry(
            digest=neurons.digest,
            total=len(neurons),
            by_position=neurons.by_position(stages),
            of=neurons.shape.switches,
            about=dict(neurons.about),
        )
        for language, neurons in sets.items()
    }


def _own_sets(preset: Preset, options: MatrixOptions, stages: Stages) -> dict[str, Any]:
    """Return what a manifest says of a preset's own sets; nothing if it shares the matrix's."""
    own = options.own_sets.get(preset.name)
    return {} if own is None else {"sets": _describe_sets(own.sets, stages), "cost": own.cost}


def _describe_asking(options: MatrixOptions) -> dict[str, Any]:
    """Return how the model was asked and loaded, as far as it was said."""
    given = {"prompting": options.prompting.record(), "model_args": dict(options.model_args)}
    return {name: value for name, value in given.items() if value}


def _describe_cell(preset: str, cell: Cell, identity: str) -> CellEntry:
    mask = cell.mask
    of_mask = {} if mask is None else {"count": mask.count, "draw": mask.draw}
    return CellEntry(
        preset=preset,
        setting=None if mask is None else mask.setting.name,
        mask_language=None if mask is None else mask.language,
        seed=None if mask is None else mask.seed,
        task=cell.family.name,
        language=cell.language,
        identity=identity,
        # What is not set is not written.
        **{name: number for name, number in of_mask.items() if number is not None},
    )


def _describe_preset(preset: Preset, options: MatrixOptions, plan: MatrixPlan) -> PresetEntry:
    masks = plan.masks[preset.name]
    return PresetEntry(
        name=preset.name,
        table=preset.table,
        ability=preset.ability,
        limit=options.limit,
        order=options.order,
        seeds={family.name: family.seeds or () for family in options.families(preset)},
        controls=options.controls,
        settings=tuple(
            SettingEntry(
                name=setting.name,
                random=setting.random,
                positions=setting.positions,
                **({} if setting.intervention == "zero" else {"intervention": setting.intervention}),
            )
            for setting in preset.settings
        ),
        counts={language: len(of_language[0].neurons) for language, of_language in masks.items()},
        shared_hits={
            language: {
                setting.name: tuple(
                    mask.neurons.about["shared_hits"] for mask in of_language if mask.setting == setting
                )
                for setting in preset.settings
                if setting.random
            }
            for language, of_language in masks.items()
        },
        **_limits(options) | ({"draw_overlaps": _draw_overlaps(preset, plan)} if options.set_draws else {}),
        **_own_sets(preset, options, plan.stages),
    )


def _draw_overlaps(preset: Preset, plan: MatrixPlan) -> dict[str, dict[str, tuple[float, ...]]]:
    """Return, by row and mask language, the Jaccard index of what each draw's set and the table deactivate."""
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
    found: dict[str, dict[str, tuple[float, ...]]] = {}
    for (setting, language, _), neurons in drawn.items():
        of_row = found.setdefault(setting.name, {})
        overlap = compare_neurons(neurons, whole[setting, language]).jaccard or 0.0
        of_row[language] = (*of_row.get(language, ()), overlap)
    return found
