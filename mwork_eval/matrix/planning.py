"""The plan of a matrix for one model: which masks on which tasks, and whether it has a table to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mwork_eval.benchmarks.task_family import TaskFamily, task_name
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.matrix.cell_plan import CellPlan, TaskSource, families_by_task
from mwork_eval.matrix.identity import ModelFacts, identity_of
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.own_sets import every_set
from mwork_eval.matrix.plan import Cell, Mask, all_seeds, plan_cells, plan_masks
from mwork_eval.matrix.whole import check_counts, dose_masks, draw_masks, plan_cross, plan_pairs
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import TunedOn, stages_for, tuning_documents
from mwork_eval.results.store import CellStore


@dataclass(frozen=True, kw_only=True)
class MatrixPlan(CellPlan):
    """The cells of a matrix, repeated where presets share one.

    Attributes:
        stages: Where understanding ends and generation begins.
        masks: Per preset and language, the masks.
        families: The benchmarks of all presets.
        presets: Per cell, the name of its preset.
    """

    stages: Stages
    masks: Mapping[str, Mapping[str, Sequence[Mask]]]
    families: Sequence[TaskFamily]
    presets: Sequence[str]

    def shows_a_table(self, store: CellStore) -> bool:
        """Whether all baselines of some preset and benchmark are stored, so that a report has a table."""
        baselines: dict[tuple[str, str], list[str]] = {}
        for identity, preset, cell in zip(self.identities, self.presets, self.cells, strict=True):
            if cell.mask is None:
                baselines.setdefault((preset, cell.family.name), []).append(identity)
        return any(all(store.path(identity).is_file() for identity in of_table) for of_table in baselines.values())


def plan_matrix(facts: ModelFacts, sets: Mapping[str, NeuronSet], options: MatrixOptions) -> MatrixPlan:
    """Plan a matrix and load the tasks' documents; writes nothing.

    Stage boundaries that are not given are those stored in the sets; the documents they were chosen on are left out.

    Raises:
        InputError: If sets do not fit the model or store different stages, tasks cannot be had, or a setting has no
            neurons.
    """
    every = every_set(sets, options.own_sets)
    for neurons in (*every, *(drawn for draw in options.set_draws for drawn in draw.values())):
        check_fit(neurons, facts.shape, facts.fingerprint, facts.name, force=options.force)
    stages = stages_for(every, facts.shape.layers, options.understanding_layers, options.generation_layers)
    check_counts(sets, options)
    families = {preset.name: options.families(preset) for preset in options.presets}
    seeds = {name: all_seeds(of_preset) for name, of_preset in families.items()}
    masks = {
        preset.name: plan_masks(
            preset,
            options.sets_of(preset, sets),
            stages,
            seeds[preset.name],
            options.controls,
            pivot=options.pivot,
        )
        for preset in options.presets
    }
    for name in options.own_sets:
        masks[name] = _with_source(masks[name], name)
    of_presets = [
        (preset.name, cell)
        for preset in options.presets
        for cell in plan_cells(masks[preset.name], families[preset.name], options.pivot)
    ]
    for preset in options.presets if options.cross else ():
        of_presets += [(preset.name, c) for c in plan_cross(masks[preset.name], families[preset.name])]
    for preset in options.presets if options.counts else ():
        own = options.own_sets.get(preset.name)
        sizes = dose_masks(
            preset,
            options.sets_of(preset, sets),
            stages,
            seeds[preset.name],
            options.counts,
            options.controls,
            options.pivot,
            None if own is None else own.by_count,
        )
        sizes = sizes if own is None else _with_source(sizes, preset.name)
        of_presets += [(preset.name, c) for c in plan_pairs(sizes, families[preset.name])]
    for preset in options.presets if options.set_draws else ():
        drawn = draw_masks(masks[preset.name], options.set_draws, stages)
        of_presets += [(preset.name, c) for c in plan_pairs(drawn, families[preset.name])]
    cells = [cell for _, cell in of_presets]
    tuned = tuning_documents(neurons.about for neurons in every)
    skip: dict[str, TunedOn] = {}
    for cell in cells:
        for name, left_out in tuned.items():
            if _is_tuned(cell, name, left_out):
                skip[cell.task] = skip.get(cell.task, TunedOn()) | left_out
    distinct = {family.name: family for of_preset in families.values() for family in of_preset}
    source = TaskSource(
        tuple(dict.fromkeys(cell.task for cell in cells)),
        options.data,
        Sample(options.limit, options.order, skip, limits=options.limits_by_task(list(distinct.values()))),
        metrics=options.metrics_by_task(list(distinct.values())),
        prompting=options.prompting,
        families=families_by_task(cells),
    )
    tasks = source.prepare()
    return MatrixPlan(
        cells=cells,
        identities=[identity_of(facts.identity, cell.intervention, tasks[cell.task]) for cell in cells],
        source=source,
        tasks=tasks,
        stages=stages,
        masks=masks,
        families=list(distinct.values()),
        presets=[preset for preset, _ in of_presets],
    )


def _with_source(masks: Mapping[str, Sequence[Mask]], name: str) -> dict[str, list[Mask]]:
    """Return masks that say which preset's own sets they are of."""
    return {language: [replace(mask, source=name) for mask in of_language] for language, of_language in masks.items()}


def _is_tuned(cell: Cell, name: str, tuned_on: TunedOn) -> bool:
    """Say whether a cell's task is of the benchmark of a name that boundaries were chosen on."""
    # By the tasks, because `xquad` and `xquad_{l}`, or a name of the user's own, are the same documents. The tasks of
    # all its languages count: what is left out in one is left out in its translations.
    tasks = {cell.family.task(language) for language in cell.family.languages}
    return name == cell.family.name or task_name(name, cell.language) == cell.task or bool(tasks & tuned_on.tasks)
