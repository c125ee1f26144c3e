"""What a matrix will cost, from configuration, tokenizer, sets and task data, before any weight is loaded."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.inference.prefixes import group_by_prefix
from mwork_eval.lm.model_identity import answering
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import Cell
from mwork_eval.matrix.planning import MatrixPlan, plan_matrix
from mwork_eval.models.inspection import Inspection
from mwork_eval.models.tokens import encode_text
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.store import MANIFEST, CellStore, load_manifest

_GENERATED = 256
"""lm-eval's limit of generated tokens where a task sets none."""


@dataclass(frozen=True)
class TaskSize:
    """The requests of a task in tokens.

    Attributes:
        requests: Their number.
        prompt_tokens: Tokens of the requests.
        computed_tokens: Of these, tokens that go through the model: beginnings that requests share do so once.
        scored_tokens: Tokens whose probability is asked for.
        generated_tokens: Tokens it may generate at most.
    """

    requests: int
    prompt_tokens: int
    computed_tokens: int
    scored_tokens: int
    generated_tokens: int


@dataclass(frozen=True)
class MatrixCost:
    """What a matrix costs.

    Attributes:
        cells: Distinct cells.
        finished: Of these, those that are stored, if the folder's model is still the same.
        tasks: Per task, the number of cells to compute and the size of each.
        operations: Floating-point operations of the cells to compute.
    """

    cells: int
    finished: int
    tasks: Mapping[str, tuple[int, TaskSize]]
    operations: float

    @property
    def generates(self) -> bool:
        """Whether any task generates answers."""
        return any(size.generated_tokens for _, size in self.tasks.values())


def plan_without_weights(
    inspection: Inspection,
    sets: Mapping[str, NeuronSet],
    options: MatrixOptions,
    folder: Path | None,
    dtype: str | None = None,
) -> tuple[MatrixPlan, list[tuple[str, Cell]]]:
    """Plan a matrix, taking the model for the one whose results the folder holds, if there is one.

    Args:
        inspection: The model without weights.
        sets: The sets by language.
        options: What the matrix is to be.
        folder: The results folder, or None.
        dtype: What the model would be loaded as; None for whatever the folder says.

    Returns:
        The plan, and the cells that are not stored.

    Raises:
        InputError: As `plan_matrix` does, except that the sets' fingerprints are not checked.
    """
    earlier = load_manifest(folder) if folder is not None and (folder / MANIFEST).is_file() else None
    identity = (
        (earlier.model_identity or "") if earlier is not None and _is_its(earlier, inspection, options, dtype) else ""
    )
    facts = ModelFacts(inspection.name, identity, "", inspection.dtype, inspection.layout.shape)
    plan = plan_matrix(facts, sets, replace(options, force=True))
    return plan, list(plan.distinct.items()) if folder is None else plan.missing(CellStore(folder))


def _is_its(earlier: Manifest, inspection: Inspection, options: MatrixOptions, dtype: str | None) -> bool:
    """Tell whether a folder's results are of a model of this name and dtype, and of arguments with the same answers."""
    was = earlier.dtype.removeprefix("torch.")
    of_the_name = earlier.model == inspection.name and dtype in (None, was)
    return of_the_name and answering(earlier.model_args) == answering(options.model_args)


def estimate_matrix(
    inspection: Inspection, tokenizer: Any, plan: MatrixPlan, missing: Sequence[tuple[str, Cell]]
) -> MatrixCost:
    """Count what the missing cells take.

    Every generation is counted up to its limit: answers that end early or are reused make a matrix cheaper.

    Args:
        inspection: The model without weights.
        tokenizer: Its tokenizer.
        plan: The matrix.
        missing: The cells to compute.
    """
    counts = Counter(cell.task for _, cell in missing)
    tasks = {name: (count, measure_task(plan.tasks[name], tokenizer)) for name, count in counts.items()}
    layers = inspection.layout.weights_per_token
    head = inspection.layout.model.get_output_embeddings().weight.numel()  # type: ignore[operator]
    operations = sum(
        count * 2.0 * (layers * (size.computed_tokens + size.generated_tokens))
        + count * 2.0 * head * (size.scored_tokens + size.generated_tokens)
        for count, size in tasks.values()
    )
    return MatrixCost(len(plan.distinct), len(plan.distinct) - len(missing), tasks, operations)


def measure_task(task: PreparedTask, tokenizer: Any) -> TaskSize:
    """Tokenise the requests of a task."""
    prompt = scored = generated = 0
    encoded: dict[str, tuple[int, ...]] = {}

    def tokens(text: str) -> tuple[int, ...]:
        if text not in encoded:
            encoded[text] = tuple(encode_text(tokenizer, text))
        return encoded[text]

    sequences: dict[tuple[int, ...], None] = {}
    for instance in task.task.instances:
        text, *rest = instance.args
        own = tokens(text)
        if instance.request_type == "generate_until":
            generated += int(rest[0].get("max_gen_toks", _GENERATED))
        elif rest:
            own = tokens(text + rest[0])
            scored += max(1, len(own) - len(tokens(text)))
        else:
            scored += len(own) - len(tokens(""))  # what the tokenizer adds is read, and no text
        prompt += len(own)
        sequences[own] = None
    distinct = list(sequences)
    shared = sum((len(group.members) - 1) * group.prefix for group in group_by_prefix(distinct))
    return TaskSize(task.requests, prompt, sum(map(len, distinct)) - shared, scored, generated)
