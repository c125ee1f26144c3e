"""Scores as the Hub's leaderboards read them from model repositories: `.eval_results/*.yaml`.

The data set must be registered as a benchmark, and the task one of its `eval.yaml`:
https://huggingface.co/docs/hub/eval-results.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import yaml

from mwork_eval.files.json_values import FileValue
from mwork_eval.results.summaries.entries import Score

_TABLE = "registered_benchmarks.yaml"


class RegisteredBenchmark(FileValue):
    """A benchmark of the Hub; the fields are explained in the file."""

    dataset: str
    task_id: str
    metrics: tuple[str, ...]
    documents: int


@cache
def registered_benchmarks() -> dict[str, RegisteredBenchmark]:
    """Return the benchmarks by the lm-eval task whose score is theirs."""
    text = (files("mwork_eval.publishing") / _TABLE).read_text(encoding="utf-8")
    return {
        task: RegisteredBenchmark(**{**row, "metrics": tuple(row["metrics"])})
        for task, row in yaml.safe_load(text).items()
    }


def registered(scores: Sequence[Score]) -> list[Score]:
    """Return the scores that are those of a registered benchmark: its metric, on all of its documents."""
    table = registered_benchmarks()
    return [
        score
        for score in scores
        if (row := table.get(score.task)) is not None
        and (score.dataset, score.documents) == (row.dataset, row.documents)
        and score.metric in row.metrics
    ]


def render_eval_results(scores: Sequence[Score]) -> str | None:
    """Return the scores of registered benchmarks as YAML; None if there is none."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    table = registered_benchmarks()
    entries = [
        EvalResultEntry(
            dataset_id=table[score.task].dataset,
            task_id=table[score.task].task_id,
            value=round(score.value, 4),
            date=datetime.fromtimestamp(score.time, UTC).isoformat(timespec="seconds"),
            notes="; ".join(
                [f"{score.metric} in {score.unit}", f"lm-eval task {score.task}", f"of {score.contender.name}"]
                + ([score.asked] if score.asked else [])
            ),
        )
        for score in registered(scores)
    ]
    if not entries:
        return None
    return str(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000))
