"""Which documents of a task belong together, from the samples that a folder keeps."""

from collections.abc import Mapping, Sequence
from typing import Any

from mwork_eval.benchmarks.clusters import cluster_keys
from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import ClusterField


def read_clusters(
    name: TaskName, documents: Sequence[Mapping[str, Any] | None], cluster_field: ClusterField
) -> tuple[str, ...]:
    """Return the cluster of each document; nothing if samples were kept without documents.

    Args:
        name: The task.
        documents: What lm-eval's samples hold as `doc`.
        cluster_field: By which field the documents of a task belong together.

    Raises:
        InputError: If documents lack the field that is named for the task, or are not there.
    """
    by = cluster_field(name)
    kept = [document for document in documents if document is not None]
    if len(kept) == len(documents):
        return cluster_keys(name.full, kept, by=by)
    if by is None:
        return ()
    raise InputError(
        f"{name.full} cannot be clustered by {by!r}", found="samples without their documents", expected="`doc` in each"
    )
