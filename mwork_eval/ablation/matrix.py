"""The plan of a matrix for one model: its cells, what identifies each, and its share for one of several jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mwork_eval.ablation.identity import ModelFacts, identity_of
from mwork_eval.ablation.options import MatrixOptions
from mwork_eval.ablation.plan import Cell, Mask, TaskFamily, plan_cells, plan_masks
from mwork_eval.ablation.settings import Preset
from mwork_eval.ablation.store import CellStore
from mwork_eval.harness.evaluate import PreparedTask, prepare_tasks
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import stages_for, tuning_documents


@dataclass(frozen=True)
class TaskSource:
    """What determines the tasks' documents and requests; every process that prepares them gets the same.

    Attributes:
        names: The lm-eval tasks.
        data: Where their data come from, as `prepare_tasks` takes it.
        limit: Documents of each, or None for all.
        skip: By task name, how many first documents are left out.
    """

    names: tuple[str, ...]
    data: str | None
    limit: int | None
    skip: Mapping[str, int] = field(default_factory=dict)

    def prepare(self) -> dict[str, PreparedTask]:
        """Load the documents and build the requests.

        Raises:
            InputError: If a task cannot be had.
        """
        return prepare_tasks(self.names, data=self.data, limit=self.limit, skip=self.skip)


@dataclass(frozen=True)
class MatrixPlan:
    """A matrix ready to run.

    Attributes:
        stages: Where understanding ends and generation begins.
        masks: Per preset and language, the masks.
        families: The benchmarks of all presets.
        cells: Every cell, repeated where presets share one.
        source: Where the tasks come from.
        tasks: Per task name, the task with its documents.
        identities: Per cell, what identifies it.
    """

    stages: Stages
    masks: Mapping[str, Mapping[str, Sequence[Mask]]]
    families: Sequence[TaskFamily]
    cells: Sequence[tuple[Preset, Cell]]
    source: TaskSource
    tasks: Mapping[str, PreparedTask]
    identities: Sequence[str]

    @cached_property
    def distinct(self) -> dict[str, Cell]:
        """By identity, one cell of each score, in the order of computation."""
        found: dict[str, Cell] = {}
        for identity, (_, cell) in zip(self.identities, self.cells, strict=True):
            found.setdefault(identity, cell)
        return found

    def missing(self, store: CellStore, shard: tuple[int, int] = (0, 1)) -> list[tuple[str, Cell]]:
        """Return the identity and the cell of each score of a shard that is not stored yet.

        Args:
            store: The stored cells.
            shard: Which share of the distinct cells, from 0, and of how many.

        Raises:
            InputError: If a stored cell is damaged.
        """
        index, count = shard
        cells = list(self.distinct.items())[index::count]
        return [(identity, cell) for identity, cell in cells if store.load(identity) is None]

    def shows_a_table(self, store: CellStore) -> bool:
        """Whether all baselines of some preset and benchmark are stored, so that a report has a table."""
        baselines: dict[tuple[str, str], list[str]] = {}
        for identity, (preset, cell) in zip(self.identities, self.cells, strict=True):
            if cell.mask is None:
                baselines.setdefault((preset.name, cell.family.name), []).append(identity)
        return any(all(store.path(identity).is_file() for identity in of_table) for of_table in baselines.values())


def plan_matrix(facts: ModelFacts, sets: Mapping[str, NeuronSet], options: MatrixOptions) -> MatrixPlan:
    """Plan a matrix and load the tasks' documents; writes nothing.

    Stage boundaries that are not given are those stored in the sets; the documents they were chosen on are left out.

    Raises:
        InputError: If sets do not fit the model or store different stages, tasks cannot be had, or a setting has no
            neurons.
    """
    for neurons in sets.values():
        check_fit(neurons, facts.shape, facts.fingerprint, facts.name, force=options.force)
    stages = stages_for(
        list(sets.values()), facts.shape.layers, options.understanding_layers, options.generation_layers
    )
    masks = {preset.name: plan_masks(preset, sets, stages, options.seeds) for preset in options.presets}
    families = {preset.name: options.families(preset) for preset in options.presets}
    cells = [
        (preset, cell) for preset in options.presets for cell in plan_cells(masks[preset.name], families[preset.name])
    ]
    tuned = tuning_documents(neurons.about for neurons in sets.values())
    # By the tasks' names: `xquad` and `xquad_{l}` are the same documents.
    skip = {
        cell.task: count
        for _, cell in cells
        for name, count in tuned.items()
        if TaskFamily(name, ()).task(cell.language) == cell.task
    }
    source = TaskSource(tuple(dict.fromkeys(cell.task for _, cell in cells)), options.data, options.limit, skip)
    tasks = source.prepare()
    identities = [identity_of(facts.identity, cell.neurons, tasks[cell.task]) for _, cell in cells]
    distinct = {family.name: family for of_preset in families.values() for family in of_preset}
    return MatrixPlan(stages, masks, list(distinct.values()), cells, source, tasks, identities)
