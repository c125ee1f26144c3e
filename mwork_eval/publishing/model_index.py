"""Scores as the metadata of model cards call them: `model-index`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import yaml

from mwork_eval.results.summaries.entries import Score

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_TASK_TYPE = "text-generation"


def evaluation_results(scores: Sequence[Score]) -> "list[EvalResult]":
    """Return the scores on published benchmarks, each with its task, number of documents and way of asking."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=_TASK_TYPE,
            dataset_type=score.dataset,
            dataset_name=f"{score.benchmark} {score.language or ''}".strip(),
            dataset_config=score.language,
            dataset_args={
                "lm_eval_task": score.task,
                "documents": score.documents,
                **({"asked": score.asked} if score.asked else {}),
            },
            metric_type=score.metric.partition(",")[0],
            metric_name=f"{score.metric} in {score.unit}",
            metric_value=round(score.value, 4),
        )
        for score in scores
        if score.dataset is not None
    ]


def render_model_index(name: str, scores: Sequence[Score]) -> str:
    """Return the scores of a model as YAML for its card."""
    from huggingface_hub.repocard_data import eval_results_to_model_index

    index = {"model-index": eval_results_to_model_index(name, evaluation_results(scores))}
    return str(yaml.safe_dump(index, sort_keys=False, allow_unicode=True, width=1000))
