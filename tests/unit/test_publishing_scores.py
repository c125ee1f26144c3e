"""Scores in the forms that others read: model-index, `.eval_results`, Every Eval Ever."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from helpers.leaderboard_folders import make_results_file
from helpers.registered_scores import DOCUMENTS, make_gsm8k_file
from huggingface_hub.repocard_data import model_index_to_eval_results

from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.publishing.base_model import PublishedModel, base_model_of, one_model
from mwork_eval.publishing.contents import read_contents
from mwork_eval.publishing.eval_results import registered, registered_benchmarks, render_eval_results
from mwork_eval.publishing.every_eval_ever import render_records
from mwork_eval.publishing.model_index import evaluation_results, render_model_index
from mwork_eval.publishing.recognition import recognise
from mwork_eval.publishing.repository import repository_files
from mwork_eval.results.summaries.entries import Score
from mwork_eval.results.summaries.lm_eval_file import read_results_file

MODEL = PublishedModel("tiny", "org/tiny", "f" * 32)


def scores_of(path: Path) -> list[Score]:
    return list(read_results_file(path).scores)


def gsm8k(tmp_path: Path, value: float = 0.5, **made: Any) -> Score:
    (score,) = scores_of(make_gsm8k_file(tmp_path, value, date=1e9, **made))
    return score


def test_a_score_of_a_registered_benchmark_has_the_fields_of_the_hub(tmp_path: Path) -> None:
    text = render_eval_results([gsm8k(tmp_path)])
    assert text is not None
    assert yaml.safe_load(text) == [
        {
            "dataset": {"id": "openai/gsm8k", "task_id": "gsm8k"},
            "value": 50.0,
            "date": "2001-09-09T01:46:40+00:00",
            "notes": "exact_match,strict-match in points; lm-eval task gsm8k; of org/plain",
        }
    ]


def test_only_the_benchmarks_own_metric_on_all_of_its_documents_is_a_score_of_it(tmp_path: Path) -> None:
    score = gsm8k(tmp_path)
    others = [
        replace(score, documents=DOCUMENTS - 1),
        replace(score, metric="acc,none"),
        replace(score, dataset="someone/gsm8k"),
        replace(score, task="gsm8k_cot"),
    ]
    assert registered([*others, score]) == [score]
    assert render_eval_results(others) is None


def test_none_of_our_tasks_is_registered_for_nobody_keeps_a_leaderboard_of_them() -> None:
    assert registered_benchmarks().keys() == {"gsm8k", "mmlu_pro"}
    assert not registered_benchmarks().keys() & BENCHMARKS.keys()


def test_a_model_index_reads_back_and_has_published_benchmarks_alone(tmp_path: Path) -> None:
    path = make_results_file(tmp_path, {"xquad_zh": 0.25, "homemade_zh": 0.5})
    scores = scores_of(path)
    name, results = model_index_to_eval_results(yaml.safe_load(render_model_index("org/tiny", scores))["model-index"])
    assert name == "org/tiny"
    (result,) = results
    assert (result.dataset_type, result.dataset_config, result.metric_value) == ("google/xquad", "zh", 25.0)
    assert result.dataset_args == {"lm_eval_task": "xquad_zh", "documents": 24}
    shot = replace(scores[0], shots=3)
    assert [one.dataset_args["asked"] for one in evaluation_results([shot]) if one.dataset_args] == ["3 examples"]


def records_of(scores: list[Score], **given: Any) -> dict[str, dict[str, Any]]:
    given = {
        "owner": "you",
        "versions": {"lm_eval": "0.4.13", "transformers": "5.23.0", "mwork_eval": "0"},
        "engine": {},
    } | given
    return {path: json.loads(content) for path, content in render_records(scores, MODEL, **given).items()}


def test_a_record_says_who_scored_what_and_how_sure(tmp_path: Path) -> None:
    ((path, record),) = records_of([gsm8k(tmp_path)]).items()
    folder, uuid = path.rsplit("/", 1)
    assert folder == "every_eval_ever/data/gsm8k/org/tiny"
    assert UUID(uuid.removesuffix(".json")).version == 4
    assert record["schema_version"] == "0.3.0"
    assert record["evaluation_id"] == "gsm8k/org/tiny/1000000000"
    assert record["source_metadata"]["evaluator_relationship"] == "third_party"
    assert record["model_info"]["id"] == "org/tiny"
    assert record["model_info"]["inference_engine"] == {"name": "transformers", "version": "5.23.0"}
    assert record["eval_library"]["name"] == "lm_eval"
    assert record["eval_library"]["version"] == "0.4.13"
    (result,) = record["evaluation_results"]
    assert result["source_data"] == {"dataset_name": "gsm8k", "source_type": "hf_dataset", "hf_repo": "openai/gsm8k"}
    config = result["metric_config"]
    assert (config["metric_unit"], config["min_score"], config["max_score"]) == ("percent", 0.0, 100.0)
    assert config["lower_is_better"] is False
    details = result["score_details"]
    assert details["score"] == 50.0
    assert details["uncertainty"] == {"standard_error": {"value": 1.0}, "num_samples": DOCUMENTS}


def test_the_engine_is_that_of_the_answers(tmp_path: Path) -> None:
    score = gsm8k(tmp_path)
    for engine, told in (
        ({}, {"name": "transformers", "version": "5.23.0"}),
        ({"name": "vllm", "version": "0.32.0", "dtype": "float32"}, {"name": "vllm", "version": "0.32.0"}),
        ({"name": "gguf"}, {"name": "gguf"}),
    ):
        ((_, record),) = records_of([score], engine=engine).items()
        assert record["model_info"]["inference_engine"] == told


def test_who_publishes_its_own_model_is_the_first_party(tmp_path: Path) -> None:
    ((_, record),) = records_of([gsm8k(tmp_path)], owner="org").items()
    assert record["source_metadata"]["evaluator_relationship"] == "first_party"


def test_a_scale_without_an_end_says_so_and_one_that_is_not_known_says_nothing(tmp_path: Path) -> None:
    score = gsm8k(tmp_path)
    bits = replace(score, metric="bits_per_byte,none", unit="bits per byte", higher_is_better=False, dataset=None)
    units = replace(score, metric="perplexity,none", unit="units")
    ((_, record),) = records_of([bits, units]).items()
    first, second = (result["metric_config"] for result in record["evaluation_results"])
    assert (first["max_score"], first["lower_is_better"]) == ("Infinity", True)
    assert "score_type" not in second
    assert record["evaluation_results"][0]["source_data"]["source_type"] == "other"


def test_the_same_scores_have_the_same_name_whenever_they_are_pushed(tmp_path: Path) -> None:
    score = gsm8k(tmp_path)
    (first,) = records_of([score])
    (later,) = records_of([replace(score, time=2e9)])
    (other,) = records_of([replace(score, value=51.0)])
    assert first == later != other


def test_a_file_for_each_benchmark(tmp_path: Path) -> None:
    scores = scores_of(make_results_file(tmp_path, {"xquad_zh": 0.25, "xquad_en": 0.5, "homemade": 0.5}))
    folders = {path.split("/")[2]: len(record["evaluation_results"]) for path, record in records_of(scores).items()}
    assert folders == {"xquad": 2, "homemade": 1}


def strings_below(value: Any, key: str) -> list[Any]:
    """All values of the mappings that stand under a key anywhere."""
    found: list[Any] = []
    if isinstance(value, Mapping):
        for name, one in value.items():
            found += list(one.values()) if name == key else strings_below(one, key)
    elif isinstance(value, list):
        for one in value:
            found += strings_below(one, key)
    return found


@pytest.mark.parametrize("key", ["additional_details", "details"])
def test_further_details_are_texts_as_the_schema_wants(tmp_path: Path, key: str) -> None:
    (record,) = records_of([replace(gsm8k(tmp_path), shots=5)]).values()
    values = strings_below(record, key)
    assert values
    assert all(isinstance(value, str) for value in values)


def test_a_repository_has_entries_for_the_hubs_leaderboards_only_where_it_is_the_models_own(tmp_path: Path) -> None:
    make_gsm8k_file(tmp_path, 0.5)
    contents = read_contents(recognise(tmp_path), advance=lambda label, amount: None)
    model = base_model_of(one_model(contents.weights), given="org/plain", license=None)
    entries = ".eval_results/mwork-eval.yaml"
    assert entries in repository_files(contents, model, "org/plain").files
    assert entries not in repository_files(contents, model, "you/plain-neurons").files
