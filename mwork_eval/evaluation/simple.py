"""Evaluate a model on tasks as lm-eval itself does, and return lm-eval's own results."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import lm_eval
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import Kind

from mwork_eval.benchmarks.data import check_data
from mwork_eval.benchmarks.examples import check_examples
from mwork_eval.errors import InputError
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.task_manager import task_manager
from mwork_eval.lm.model import MworkHF

OPTIONS = frozenset(signature(lm_eval.simple_evaluate).parameters)
"""Names of the arguments of `lm_eval.simple_evaluate`."""


def find_evaluations(names: Sequence[str], data: str | None, num_fewshot: int | None = None) -> TaskManager:
    """Return a task manager that knows some tasks, groups or tags of lm-eval's or ours; none is loaded.

    Args:
        names: Their names.
        data: Where the data of our tasks comes from: a folder, `embedded`, or None for `MWORK_DATA` or the hub.
        num_fewshot: Examples before each question; None for the tasks' own number.

    Raises:
        InputError: If one is unknown, none is given, or the data or enough examples of one of ours are not there.
    """
    if not names:
        raise InputError("no task given", expected="names such as xquad_zh, or any other of lm-eval")
    manager = task_manager(names, data)
    index = manager.task_index
    if unknown := [name for name in names if name not in index]:
        raise InputError("unknown task", found=" ".join(unknown), expected="what `lm_eval ls tasks` lists, or xquad_zh")
    leaves = [leaf for name in names for leaf in (sorted(index[name].tags) if index[name].kind is Kind.TAG else [name])]
    check_data(leaves, data)
    check_examples(leaves, data, num_fewshot or 0)
    return manager


def evaluate_simply(
    model: MworkHF,
    names: Sequence[str],
    manager: TaskManager,
    prompting: Prompting,
    **options: Any,
) -> dict[str, Any]:
    """Return what `lm_eval.simple_evaluate` returns.

    Args:
        model: The model, masked or not.
        names: The tasks.
        manager: What `find_evaluations` returned for them.
        prompting: How they are asked.
        **options: Its other arguments.
    """
    # `hf` takes no notice of the name of a template, which lm-eval's command tells the model in this way, too.
    model.chat_template(prompting.apply_chat_template)
    results: dict[str, Any] = lm_eval.simple_evaluate(
        model=model,
        tasks=list(names),
        task_manager=manager,
        num_fewshot=prompting.num_fewshot,
        apply_chat_template=prompting.apply_chat_template,
        system_instruction=prompting.system_instruction,
        fewshot_as_multiturn=prompting.as_turns,
        gen_kwargs=dict(prompting.gen_kwargs) or None,
        **options,
    )
    return results
