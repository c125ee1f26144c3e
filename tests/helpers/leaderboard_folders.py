"""Results files of lm-eval made by hand for the leaderboard."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def make_results_file(
    folder: Path,
    scores: Mapping[str, float],
    *,
    model: str = "org/plain",
    documents: int = 24,
    hashes: Mapping[str, str] | None = None,
    masked: Mapping[str, Any] | None = None,
    data: str | None = None,
    date: float = 2e9,
    version: int = 1,
) -> Path:
    """Write what `lm_eval --output_path folder` writes, as far as the leaderboard reads it.

    Args:
        folder: Where.
        scores: By task, its accuracy.
        model: Name of the model.
        documents: Number of documents of each.
        hashes: By task, lm-eval's digest of the documents; none are logged if not given.
        masked: What `mwork-hf` says it deactivated.
        data: Where the tasks' data came from.
        date: When, in seconds since 1970.
        version: Version of the tasks.
    """
    config: dict[str, Any] = {"model": "hf"}
    if masked is not None:
        config["mwork"] = {"model": model, "fingerprint": None, "masked": masked}
    results = {
        "model_name": model,
        "date": date,
        "config": config,
        "results": {
            task: {"alias": task, "acc,none": value, "acc_stderr,none": 0.05} for task, value in scores.items()
        },
        "n-samples": {task: {"original": 100, "effective": documents} for task in scores},
        "higher_is_better": {task: {"acc": True} for task in scores},
        "versions": dict.fromkeys(scores, version),
        "configs": {task: {"metadata": {"data": data}} for task in scores},
        "task_hashes": dict(hashes or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"results_{date}.json"
    path.write_text(json.dumps(results))
    return path
