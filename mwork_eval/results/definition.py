"""What a score means beyond its documents: scores of other definitions are not compared."""

from collections.abc import Mapping
from typing import Any

_WHOLE_TEXTS = "loglikelihood_rolling"


def definition_of(task: Mapping[str, Any], *, double_bos: bool) -> str:
    """Return what a score is defined by: the version of its task file and, of whole texts, where they begin.

    The documents and prompts of bits per byte are the same whether or not a second BOS is scored, and those of a new
    version of a task may be, too.

    Args:
        task: What lm-eval's results say of the task: its `config` and `version`.
        double_bos: Whether a second BOS may be scored, as by lm-eval's `hf`.
    """
    whole = (task.get("config") or {}).get("output_type") == _WHOLE_TEXTS
    return f"version {task.get('version')}" + (", as hf begins texts" if whole and double_bos else "")


def definition_in_results(name: str, results: Mapping[str, Any]) -> str:
    """Return the definition of a task's score in a file of results of lm-eval.

    Args:
        name: The task.
        results: The file's content.
    """
    ours = (results.get("config") or {}).get("mwork") or {}
    task = {"config": results.get("configs", {}).get(name), "version": results.get("versions", {}).get(name)}
    # `hf`, and `mwork-hf` of earlier versions, do not say; both begin texts in `hf`'s way.
    return definition_of(task, double_bos=ours.get("double_bos", True))
