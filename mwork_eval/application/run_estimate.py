"""Say what detection and matrix would cost together, as far as it can be told: no weight is loaded, no neuron known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from mwork_eval.application.detection_estimate import DetectionEstimate, estimate_detection
from mwork_eval.application.matrix_arguments import check_task_data
from mwork_eval.application.matrix_estimate import MatrixEstimate, batch_size
from mwork_eval.application.model_source import ModelSource
from mwork_eval.detection.corpus.documents import DocumentRules
from mwork_eval.detection.corpus.hub import PREFIX
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detect import DetectOptions
from mwork_eval.detection.estimate import measure_speed
from mwork_eval.errors import NotReachedError
from mwork_eval.matrix.estimate import estimate_matrix
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import Cell, all_seeds, plan_cells, plan_masks
from mwork_eval.matrix.planning import plan_matrix
from mwork_eval.matrix.whole import draw_masks, plan_pairs
from mwork_eval.models.inspection import inspect_model
from mwork_eval.models.loading import check_dtype, default_dtype, find_device
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.structures import DEFAULT_STRUCTURES

T = TypeVar("T")

_SHARE = 0.002
"""About what the default rule selects of a model (docs/decisions/0011-ranks.md)."""


@dataclass(frozen=True)
class TableCost:
    """The cells of one table.

    Attributes:
        preset: Its name.
        task: Its benchmark.
        languages: Languages the benchmark has among those asked for.
        cells: Their number; a score that two tables share counts in both.
    """

    preset: str
    task: str
    languages: tuple[str, ...]
    cells: int


@dataclass(frozen=True)
class RunEstimate:
    """What a run would cost.

    Attributes:
        tables: The tables.
        cells: Distinct cells of all tables.
        documents: Per lm-eval task, the documents scored; None without the tasks' data.
        detection: What detection costs; None if it cannot be told.
        matrix: What the matrix costs; None without the model's configuration or the data.
        unknown: What cannot be told, and why.
    """

    tables: Sequence[TableCost]
    cells: int
    documents: Mapping[str, int] | None
    detection: DetectionEstimate | None
    matrix: MatrixEstimate | None
    unknown: Sequence[str]


def estimate_run(
    source: ModelSource,
    corpora: Sequence[Corpus],
    rules: DocumentRules,
    detection: DetectOptions,
    matrix: MatrixOptions,
    *,
    set_draws: int | None = None,
) -> RunEstimate:
    """Estimate a run. Neuron sets of the usual size stand for those that it would find.

    Configuration, tokenizer, texts and task data are read where they can be had; what cannot is said, and the rest is
    estimated all the same. Texts on the hub are not read.

    Args:
        source: The model, which is not loaded.
        corpora: The texts of each language.
        rules: Which of their documents are read.
        detection: How they are scored.
        matrix: The matrix.
        set_draws: Also the sets of this many random halves of the documents.

    Raises:
        InputError: If an argument is wrong, or a folder lacks data; not if the hub does not answer.
    """
    check_task_data(matrix)
    model, device, dtype, revision = source.name, *(source.loading[name] for name in ("device", "dtype", "revision"))
    found_device, checked = find_device(device), check_dtype(dtype)
    unknown: list[str] = []
    trusted = bool(source.model_args.get("trust_remote_code"))
    inspection = _tried(
        unknown, "tokens, time and memory", lambda: inspect_model(model, revision, trust_remote_code=trusted)
    )
    shape = inspection.layout.shape if inspection else _stand_in_shape(matrix)
    codes = [code for code in matrix.languages if code != matrix.pivot]
    sets = _stand_in_sets(shape, codes, 0)
    draws = tuple(_stand_in_sets(shape, codes, number) for number in range(1, (set_draws or 0) + 1))
    matrix = replace(matrix, force=True, set_draws=draws)
    if inspection:
        matrix = replace(matrix, prompting=source.asking(matrix.prompting))
    else:
        # The documents are the same with a template and without.
        matrix = replace(
            matrix, prompting=replace(matrix.prompting, apply_chat_template=False, fewshot_as_multiturn=None)
        )
    tables, cells = _count(matrix, sets, shape)
    facts = ModelFacts(model, "", "", inspection.dtype if inspection else "float32", shape)
    plan = _tried(unknown, "documents", lambda: plan_matrix(facts, sets, matrix))
    cost = None
    if inspection and plan:
        dtype = checked or str(default_dtype(found_device)).removeprefix("torch.")
        name = inspection.dtype if dtype == "auto" else dtype
        counted = estimate_matrix(inspection, source.tokenizer, plan, list(plan.distinct.items()))
        speed, weights = measure_speed(found_device, name), inspection.weight_bytes(name)
        cost = MatrixEstimate(counted, speed, weights, batch_size(counted, found_device, name))
    local = [corpus for corpus in corpora if not corpus.source.startswith(PREFIX)]
    scored = None
    if len(local) < len(corpora):
        most = "all documents" if rules.max_documents is None else f"at most {rules.max_documents:,} documents"
        per = f"{most} of at most {rules.max_tokens:,} tokens for each of {len(corpora) - len(local)} languages"
        unknown.append(f"time of detection: texts on the hub are not read; {per}")
    elif inspection:
        scored = _tried(
            unknown, "time of detection", lambda: estimate_detection(model, revision, corpora, rules, detection)
        )
    documents = {name: len(task.items) for name, task in plan.tasks.items()} if plan else None
    return RunEstimate(tables, cells, documents, scored, cost, unknown)


def _tried(unknown: list[str], what: str, find: Callable[[], T]) -> T | None:
    """Return what a function finds; what cannot be reached is said."""
    try:
        return find()
    except NotReachedError as error:
        unknown.append(f"{what}: {error}")
        return None


def _stand_in_shape(matrix: MatrixOptions) -> ModelShape:
    """Return a shape with room for the stages that were asked for; the number of cells does not depend on it."""
    layers = 8 + (matrix.understanding_layers or 0) + (matrix.generation_layers or 0)
    return ModelShape("unknown", (dict.fromkeys(DEFAULT_STRUCTURES, 1024),) * layers)


def _stand_in_sets(shape: ModelShape, languages: Sequence[str], draw: int) -> dict[str, NeuronSet]:
    """Return sets of the usual size; no two are equal."""
    sets = {}
    for number, language in enumerate(languages):
        places = {
            (layer, structure): max(1, round(_SHARE * size))
            for layer, sizes in enumerate(shape.sizes)
            for structure, size in sizes.items()
            if structure in DEFAULT_STRUCTURES
        }
        first = number + draw * len(languages)
        sets[language] = NeuronSet(
            shape,
            {
                (layer, structure): (np.arange(count, dtype=np.int32) + first * count) % shape.sizes[layer][structure]
                for (layer, structure), count in places.items()
            },
        )
    return sets


def _count(matrix: MatrixOptions, sets: Mapping[str, NeuronSet], shape: ModelShape) -> tuple[list[TableCost], int]:
    """Return the tables, and the number of distinct cells."""
    stages = Stages.of(shape.layers, matrix.understanding_layers, matrix.generation_layers)
    tables, distinct = [], set()
    for preset in matrix.presets:
        families = matrix.families(preset)
        masks = plan_masks(preset, sets, stages, all_seeds(families), matrix.controls, pivot=matrix.pivot)
        cells = [*plan_cells(masks, families, matrix.pivot)]
        if matrix.set_draws:
            cells += plan_pairs(draw_masks(masks, matrix.set_draws, stages), families)
        for family in families:
            own = {_score(cell) for cell in cells if cell.family == family}
            tables.append(TableCost(preset.name, family.name, family.languages, len(own)))
        distinct |= {_score(cell) for cell in cells}
    return tables, len(distinct)


def _score(cell: Cell) -> tuple[str | None, str]:
    """Return what tells a cell's score from others: what is deactivated, and the task."""
    return cell.intervention.digest if cell.intervention else None, cell.task
