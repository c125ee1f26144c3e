"""Answers that stored cells hold of a model under the same mask, for cells of other documents to reuse."""

from typing import Any

from mwork_eval.evaluation.known_answers import request_key
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.results.store import CellStore

_OF_NO_TOKEN = [0.0, False]
"""What earlier versions answered where an option had no token of its own: sure, and yet not the most probable."""


def known_answers(store: CellStore, identity: str, task: PreparedTask) -> dict[str, Any]:
    """Return what the model answered to requests of the same task under the same mask.

    A larger limit, or a corrected answer key, then asks the model only what is new. Requests answered several
    times (sampled generations) are left out.

    Args:
        store: The stored cells.
        identity: The cell to compute.
        task: Its task.

    Returns:
        Answers by `request_key`, as JSON keeps them.

    Raises:
        InputError: If a stored cell is damaged.
    """
    types = {instance.request_type for instance in task.task.instances}
    if len(types) > 1:
        return {}  # samples do not say which request was of which type
    (request_type,) = types
    return {
        request_key(request_type, arguments): _restored(responses[0], request_type)
        for sample in store.related_samples(identity)
        for arguments, responses in zip(sample["arguments"], sample["resps"], strict=True)
        if len(responses) == 1 and responses[0] != _OF_NO_TOKEN
    }


def _restored(answer: Any, request_type: str) -> Any:
    """Return an answer with its log-likelihoods as numbers; a file has minus infinity as a text."""
    if request_type == "generate_until":
        return answer
    if isinstance(answer, list):
        return [_restored(one, request_type) for one in answer]
    return float(answer) if isinstance(answer, str) else answer
