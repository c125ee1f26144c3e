"""Scores in the schema of Every Eval Ever (version 0.3.0), one file for each evaluation of a benchmark.

https://github.com/evaleval/every_eval_ever has the schema; its data set files a record under
`data/BENCHMARK/DEVELOPER/MODEL/UUID.json` and accepts UUIDs of version 4 alone. Ours are made of the record, so that
the same scores have the same name.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from mwork_eval.digests import canonical_json
from mwork_eval.files.json_values import dump
from mwork_eval.publishing.base_model import PublishedModel
from mwork_eval.results.summaries.entries import Score

SCHEMA = "0.3.0"
FOLDER = "every_eval_ever"
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_SHARES = frozenset({"acc", "acc_norm", "exact_match", "f1", "em", "squad_f1", "squad_exact_match", "rougeL"})
"""Metrics that lie between 0 and 1, as points between 0 and 100."""


def render_records(
    scores: Sequence[Score],
    model: PublishedModel,
    *,
    owner: str,
    versions: Mapping[str, str],
    engine: Mapping[str, Any],
) -> dict[str, bytes]:
    """Return the records of one results folder or file, by path below the repository.

    Args:
        scores: The model's own scores.
        model: The model.
        owner: Who publishes them.
        versions: Versions of the software, as manifests have them.
        engine: What computed the answers, as manifests say it; empty for transformers.
    """
    by_benchmark: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        by_benchmark[score.benchmark].append(score)
    files = {}
    for benchmark, of_benchmark in by_benchmark.items():
        record = _record(benchmark, of_benchmark, model, owner, versions, engine)
        developer, name = _developer(model), _in_path(model.shown.rpartition("/")[2])
        path = f"{FOLDER}/data/{_in_path(benchmark)}/{_in_path(developer)}/{name}/{_uuid(record)}.json"
        files[path] = (dump(record, indent=2) + "\n").encode()
    return files


def _record(
    benchmark: str,
    scores: Sequence[Score],
    model: PublishedModel,
    owner: str,
    versions: Mapping[str, str],
    engine: Mapping[str, Any],
) -> dict[str, Any]:
    time = str(int(max(score.time for score in scores)))
    developer = _developer(model)
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown" if model.hub is None else "open_weights",
        **({"fingerprint": model.fingerprint} if model.fingerprint else {}),
        **({"weights": "Q4_K_M, read back as float32"} if model.is_default else {}),
    }
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{benchmark}/{model.shown}/{time}",
        "evaluation_timestamp": time,
        "retrieved_timestamp": time,
        "source_metadata": {
            "source_name": "mwork-eval",
            "source_type": "evaluation_run",
            "source_organization_name": owner,
            "evaluator_relationship": "first_party" if owner == developer else "third_party",
        },
        "model_info": {
            "name": model.name,
            "id": model.shown,
            "developer": developer,
            "inference_engine": _engine(engine, versions),
            "additional_details": details,
        },
        "eval_library": {
            "name": "lm_eval",
            "version": versions.get("lm_eval", "unknown"),
            "additional_details": {name: str(version) for name, version in versions.items() if name != "lm_eval"},
        },
        "evaluation_results": [_result(score) for score in scores],
    }


def _engine(engine: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, str]:
    name = str(engine.get("name") or "transformers")
    version = engine.get("version") or versions.get(name)
    return {"name": name, **({} if version is None else {"version": str(version)})}


def _result(score: Score) -> dict[str, Any]:
    metric = score.metric.partition(",")[0]
    said = {
        "lm_eval_task": score.task,
        "documents_digest": score.compared_by,
        **({"language": score.language} if score.language else {}),
        **({"asked": score.asked} if score.asked else {}),
    }
    return {
        "evaluation_result_id": f"{score.task}:{score.metric}",
        "evaluation_name": score.task,
        "source_data": _source(score),
        "metric_config": {
            "metric_id": metric,
            "metric_name": score.metric,
            "metric_unit": "percent" if _is_share(score) else score.unit,
            "lower_is_better": not score.higher_is_better,
            **_bounds(score),
        },
        "score_details": {
            "score": score.value,
            "details": said,
            "uncertainty": {
                **({} if score.error is None else {"standard_error": {"value": score.error}}),
                "num_samples": score.documents,
            },
        },
    }


def _source(score: Score) -> dict[str, Any]:
    if score.dataset is None:
        return {
            "dataset_name": score.benchmark,
            "source_type": "other",
            "additional_details": {"documents": "of no published data set"},
        }
    return {"dataset_name": score.benchmark, "source_type": "hf_dataset", "hf_repo": score.dataset}


def _is_share(score: Score) -> bool:
    return score.unit == "points" and score.metric.partition(",")[0] in _SHARES


def _bounds(score: Score) -> dict[str, Any]:
    """Return the scale of a metric where it is known; without it the schema takes no type of scores either."""
    if _is_share(score):
        return {"score_type": "continuous", "min_score": 0.0, "max_score": 100.0}
    if score.unit == "bits per byte":
        return {"score_type": "continuous", "min_score": 0.0, "max_score": "Infinity"}
    return {}


def _developer(model: PublishedModel) -> str:
    return model.hub.partition("/")[0] if model.hub else "unknown"


def _uuid(record: Mapping[str, Any]) -> str:
    """Return a UUID made of what was scored; when that was is no part of it."""
    said = {name: value for name, value in record.items() if "timestamp" not in name and name != "evaluation_id"}
    return str(UUID(bytes=hashlib.sha256(canonical_json(said).encode()).digest()[:16], version=4))


def _in_path(name: str) -> str:
    return _NOT_IN_NAMES.sub("-", name).strip(".-") or "unnamed"
