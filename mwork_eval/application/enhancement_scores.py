"""Score what training changed: the base and every delta."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.application.matrix_progress import matrix_progress
from mwork_eval.application.model_args import shown_model_args
from mwork_eval.application.model_source import find_model
from mwork_eval.application.progress import Progress
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.enhancement.changes import change_tables
from mwork_eval.enhancement.folder import describe_cells
from mwork_eval.enhancement.record import Record
from mwork_eval.enhancement.scores import compute_scores, count_left_out, plan_scores, stored_scores
from mwork_eval.enhancement.tables import ChangeTable
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.languages.table import ENGLISH
from mwork_eval.lm.asking import ASKING
from mwork_eval.lm.model_identity import told_of_loading
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.models.loading import LoadedModel
from mwork_eval.results.store import CellStore


def score_deltas(
    base: LoadedModel,
    record: Record,
    families: Sequence[TaskFamily],
    folder: Path,
    scored: Mapping[str, Any],
    prompting: Prompting,
    model_args: Mapping[str, Any],
    *,
    pivot: str,
    force: bool,
    progress: Progress,
) -> tuple[list[ChangeTable], dict[str, Any]]:
    """Score the base and every delta; returns what changed, and what was scored as JSON values.

    Args:
        base: The base, without a delta.
        record: What was trained.
        families: What to score.
        folder: Where deltas are and scores go.
        scored: Where the tasks' data comes from (`data`), and which documents are taken (`limit`, `order`).
        prompting: How the model is asked.
        model_args: Further arguments of `mwork-hf` that the base was loaded with.
        pivot: The language that the others are compared with.
        force: Accept deltas of other weights of the same sizes.
        progress: Where progress and messages go.
    """
    asking = {name: value for name, value in model_args.items() if name in ASKING}
    with find_model(base.model, base.tokenizer, model_args=asking).opened() as model:
        model.loaded_with = told_of_loading(model_args)  # what the base was loaded with cannot be seen on it
        plan = plan_scores(ModelFacts.of(model, base.name), record, families, prompting=prompting, **scored)
        left_out = count_left_out(plan)
        for name, count in left_out.items():
            progress.tell(f"{name}: {count} documents that training saw are left out")
        for family in families:
            if lacking := [code for code in family.missing if code in record.seen]:
                progress.tell(f"{family.name} has no {', '.join(lacking)}, which was trained: no table of it")
        with matrix_progress(progress, plan, folder, what="evaluate") as advance:
            compute_scores(model, plan, folder, force=force, advance=advance, tell=progress.tell)
    about = {
        "model": record.model,
        "fingerprint": record.fingerprint,
        "options": dict(record.options),
        "tasks": [family.name for family in families],
        **scored,
        **({} if pivot == ENGLISH else {"pivot": pivot}),
        "left_out": left_out,
        **describe_cells(plan, families),
    }
    if (said := prompting.record()) is not None:
        about["prompting"] = said.to_values()
    if model_args:
        about["model_args"] = shown_model_args(model_args)
    return change_tables(record.deltas, families, stored_scores(plan, CellStore(folder)), pivot), about
