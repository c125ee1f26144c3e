"""The runner of a matrix in one process, or in several that share each cell: every cell is stored before the next."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mwork_eval.errors import InputError
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.matrix.cell_queue import CellQueue, wait_for_cell
from mwork_eval.matrix.compute import compute_cell
from mwork_eval.matrix.plan import Cell
from mwork_eval.matrix.reuse import known_answers
from mwork_eval.results.store import CellStore


def run_matrix(
    model: MaskableLM,
    plan: CellPlan,
    folder: Path,
    *,
    shard: tuple[int, int] = (0, 1),
    prepare: Callable[[Cell], Any] = lambda cell: None,
    advance: Callable[[str, int], Any] = lambda label, done: None,
    tell: Callable[[str], Any] = lambda message: None,
) -> int:
    """Compute every cell of a shard that is not on disk yet.

    The model is masked in place for a cell and unmasked in the end, also after an exception or Ctrl-C. Where a
    launcher started several processes for one model, all of them call this with the same plan: the first one
    decides, and stores.

    Args:
        model: The model, unmasked.
        plan: What to compute.
        folder: The results folder; other processes may work on it at the same time.
        shard: Which share of the cells to compute, from 0, and of how many.
        prepare: Called with a cell before it is computed, in every process that shares it.
        advance: Called with a label and the number of cells just done: 0 or 1.
        tell: Called with a message when only other processes' cells are left.

    Returns:
        The number of cells computed.

    Raises:
        InputError: If a stored cell is damaged, the model cannot do a task, or a launcher started processes that do not
            share the cells.
    """
    for name, task in plan.tasks.items():
        if len({instance.doc_id for instance in task.task.instances}) < model.world_size:
            raise InputError(
                f"{name} has fewer documents than there are processes",
                found=f"{model.world_size} processes",
                hint="start fewer, or give a larger `limit`",
            )
    model.check_tasks(one.task for task in plan.tasks.values() for one in task.parts or (task,))
    try:
        if model.rank != 0:
            while (shared := _agree(model, None)) is not None:
                cell = plan.distinct[shared]
                prepare(cell)
                compute_cell(model, cell.intervention, plan.tasks[cell.task])
            return 0
        store = CellStore(folder)
        store.discard_left_behind()
        with CellQueue(store, plan.missing(store, shard), advance) as queue:
            while (taken := wait_for_cell(queue, tell)) is not None:
                identity, cell = taken
                _agree(model, identity)
                # With several processes each must ask the model equally often, known answers or not.
                known = known_answers(store, identity, plan.tasks[cell.task]) if model.world_size == 1 else None
                prepare(cell)
                result = compute_cell(model, cell.intervention, plan.tasks[cell.task], known)
                if result is None:
                    raise InputError(
                        "lm-eval takes this process for a helper of another one, and none of them shares its documents",
                        found=f"LOCAL_RANK={os.environ.get('LOCAL_RANK')}",
                        hint="start one process per folder, or per `shard`, without a launcher",
                    )
                queue.store(identity, cell, result)
            _agree(model, None)
            return queue.computed
    finally:
        model.unmask()


def _agree(model: MaskableLM, identity: str | None) -> str | None:
    """Return the first process's answer in every process that shares the model's cells."""
    answers = [identity]
    if model.world_size > 1:
        torch.distributed.broadcast_object_list(answers)
    return answers[0]
