"""Which metric a task is judged by, where the user says: checked in the task's configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.registry import DEFAULT_METRIC_REGISTRY

from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.resolve import Index, leaves_of


def check_metrics(metrics: Mapping[str, str], index: Index) -> None:
    """Check that tasks have the metrics asked for, as far as their configurations tell; no task is loaded.

    A task that is written in Python tells nothing: whether it has the metric is known once it is scored.

    Args:
        metrics: Metrics, with or without their filters, by task or group.
        index: lm-eval's index.

    Raises:
        InputError: If one has not; lists those it has.
    """
    for task, metric in metrics.items():
        for leaf in leaves_of(task, index):
            config = index[leaf].cfg if leaf in index else None
            if not config or "class" in config:
                continue
            known = declared_metrics(config)
            if known and metric not in known and metric.partition(",")[0] not in known:
                raise InputError(
                    f"{leaf} has no metric {metric}",
                    found=" ".join(known),
                    expected="one of these; a filter stands behind a colon: exact_match:flexible-extract",
                )
            filters = [str(one.get("name")) for one in config.get("filter_list") or []] or ["none"]
            asked = metric.partition(",")[2]
            if asked and asked not in filters:
                raise InputError(f"{leaf} has no filter {asked}", found=" ".join(filters), expected="one of these")


def declared_metrics(config: Mapping[str, Any]) -> list[str]:
    """Return the metrics that a task's configuration names, or that lm-eval takes for its kind of output."""
    listed: Sequence[Any] = config.get("metric_list") or []
    names = [str(one.get("metric")) for one in listed if isinstance(one, Mapping)]
    return names or list(DEFAULT_METRIC_REGISTRY.get(str(config.get("output_type")), ()))
