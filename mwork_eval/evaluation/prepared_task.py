"""A task that is ready to be evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.tasks import TaskManager


@dataclass(frozen=True)
class PreparedTask:
    """A task, or a group that counts as one, whose documents are loaded and whose requests are known.

    Attributes:
        name: Name of the lm-eval task or group.
        task: lm-eval's task object, or a `TaskGroup`.
        manager: The task manager it comes from.
        documents: Indices of the documents used, or None for all.
        digest: Digest of documents, prompts, generation arguments and clusters.
        requests: Number of requests.
        clusters: By index, the cluster of each of these documents, as `cluster_keys` gives it.
        items: What each of them is, as `item_keys` gives it.
        parts: The tasks of a group of which documents are used.
        prompting: Digest of how it is asked beyond what its file says; None if nothing is.
        metric: The main metric that was asked for; None for the one that `find_main_metric` chooses.
        own_shots: The number of examples of its file, None if that says none; those of a group are its parts'.
    """

    name: str
    task: Any
    manager: TaskManager
    documents: Sequence[int] | None
    digest: str
    requests: int
    clusters: Mapping[int, str] = field(default_factory=dict)
    items: Sequence[str] = ()
    parts: tuple["PreparedTask", ...] = ()
    prompting: str | None = None
    metric: str | None = None
    own_shots: int | None = None
