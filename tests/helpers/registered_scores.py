"""Results of a benchmark that the Hub keeps a leaderboard of, as lm-eval writes them."""

import json
from pathlib import Path
from typing import Any

from helpers.leaderboard_folders import make_results_file

DOCUMENTS = 1319
"""Of the test split of openai/gsm8k."""


def make_gsm8k_file(folder: Path, score: float, *, documents: int = DOCUMENTS, **told: Any) -> Path:
    """Write results of gsm8k; what else is told goes to `make_results_file`."""
    path = make_results_file(folder, {"gsm8k": score}, documents=documents, **told)
    content = json.loads(path.read_text())
    content["results"]["gsm8k"] = {
        "alias": "gsm8k",
        "exact_match,strict-match": score,
        "exact_match_stderr,strict-match": 0.01,
    }
    content["higher_is_better"] = {"gsm8k": {"exact_match": True}}
    content["configs"]["gsm8k"] |= {"dataset_path": "openai/gsm8k", "output_type": "generate_until"}
    path.write_text(json.dumps(content))
    return path
