"""Results in the files that lm-eval itself writes, by lm-eval's own writer."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.digests import file_name
from mwork_eval.errors import InputError
from mwork_eval.results.prompting_record import PromptingRecord


def write_lm_eval_files(
    folder: Path,
    model: str,
    results: Mapping[str, Any],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    prompting: PromptingRecord | None = None,
) -> list[Path]:
    """Write `results_*.json` and `samples_*.jsonl` of one model, as `lm_eval --log_samples --output_path` does.

    Args:
        folder: What `--output_path` names; files go to a folder below that is named after the model.
        model: Name of the model.
        results: What `lm_eval.simple_evaluate` returns, without samples.
        samples: Its samples by task.
        prompting: How the model was asked.

    Returns:
        The files.

    Raises:
        InputError: If a file could not be written.
    """
    from lm_eval.loggers import EvaluationTracker  # imports datasets, which no other report needs

    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.log_experiment_args(
        model_source="mwork-hf",
        model_args={"pretrained": model},
        system_instruction=None if prompting is None else prompting.system_instruction,
        chat_template=None if prompting is None else prompting.chat_template,
        fewshot_as_multiturn=prompting is not None and prompting.fewshot_as_multiturn,
    )
    inside = folder / file_name(str(tracker.general_config_tracker.model_name_sanitized))
    tracker.general_config_tracker.model_name_sanitized = inside.name
    # The tracker changes what it is given.
    tracker.save_results_aggregated(results=dict(results), samples=samples)
    for task, of_task in samples.items():
        tracker.save_results_samples(task_name=file_name(task), samples=copy.deepcopy(list(of_task)))
    date = getattr(tracker, "date_id", "")
    files = [inside / f"results_{date}.json", *(inside / f"samples_{file_name(task)}_{date}.jsonl" for task in samples)]
    if missing := [path for path in files if not path.is_file()]:
        raise InputError(
            "cannot write results", found=f"no {missing[0]}", hint="look at the free space and permissions"
        )
    return files
