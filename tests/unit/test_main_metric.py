"""One rule for the main metric of any task: matrix, gate and leaderboard give the same metric, number and unit."""

import json
import math
from types import SimpleNamespace

import lm_eval
import pytest

from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import evaluate_task
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.gate.reading import read_lm_eval_folder
from mwork_eval.results.main_metric import factor_and_unit
from mwork_eval.results.scale import Scale
from mwork_eval.results.summaries.lm_eval_file import read_results_file


def declare(**aggregations):
    """The `metric_list` of a task file."""
    return [{"metric": name, **({"aggregation": how} if how else {})} for name, how in aggregations.items()]


# By task: what lm-eval reports, its directions, the metrics the task declares, what each document has by filter, and
# what every reader must show: metric, number, unit, whether higher is better.
KINDS = {
    "accuracy": (
        {"acc,none": 0.75, "acc_norm,none": 0.5},
        {"acc": True, "acc_norm": True},
        declare(acc="mean", acc_norm="mean"),
        {"none": [{"acc": 1.0, "acc_norm": n % 2} for n in range(3)] + [{"acc": 0.0, "acc_norm": 1}]},
        ("acc,none", 75.0, "points", True),
    ),
    "lambada": (
        {"perplexity,none": math.exp(3.0), "acc,none": 0.5},
        {"perplexity": False, "acc": True},
        declare(perplexity="perplexity", acc="mean"),
        {"none": [{"perplexity": -2.0, "acc": 1.0}, {"perplexity": -4.0, "acc": 0.0}]},
        ("acc,none", 50.0, "points", True),
    ),
    "wikitext": (
        {"word_perplexity,none": 30.0, "byte_perplexity,none": 2.0, "bits_per_byte,none": 1.0},
        {"word_perplexity": False, "byte_perplexity": False, "bits_per_byte": False},
        declare(word_perplexity=None, byte_perplexity=None, bits_per_byte=None),
        {
            "none": [
                {"word_perplexity": [-b * math.log(2), 2], "byte_perplexity": [0.0, 1], "bits_per_byte": [x, s]}
                for b, s in ((8, 10), (12, 10))
                for x in [-b * math.log(2)]
            ]
        },
        ("bits_per_byte,none", 1.0, "bits per byte", False),
    ),
    "gsm8k": (
        {"exact_match,strict-match": 0.25, "exact_match,flexible-extract": 0.5},
        {"exact_match": True},
        declare(exact_match="mean"),
        {
            "strict-match": [{"exact_match": float(n == 0)} for n in range(4)],
            "flexible-extract": [{"exact_match": float(n < 2)} for n in range(4)],
        },
        ("exact_match,strict-match", 25.0, "points", True),
    ),
    "own_f1": (
        {"mwork_f1,none": 0.45},
        {"mwork_f1": True},
        declare(mwork_f1="mean"),
        {"none": [{"mwork_f1": 0.4}, {"mwork_f1": 0.5}]},
        ("mwork_f1,none", 45.0, "points", True),
    ),
    "corpus_f1_first": (
        {"f1,none": 0.6666, "acc,none": 0.5},
        {"f1": True, "acc": True},
        declare(f1=None, acc=None),
        {"none": [{"f1": [0, 1], "acc": 0.0}, {"f1": [1, 1], "acc": 1.0}]},
        ("acc,none", 50.0, "points", True),
    ),
    "percent": (
        {"bleu_max,none": 0.5},
        {"bleu_max": True},
        declare(bleu_max="mean"),
        {"none": [{"bleu_max": 0.25}, {"bleu_max": 0.75}]},
        ("bleu_max,none", 0.5, "points", True),
    ),
    "f1_in_percent": (
        {"em,none": 25.0},
        {"em": True},
        declare(em="mean"),
        {"none": [{"em": 0.0}, {"em": 50.0}]},
        ("em,none", 25.0, "points", True),
    ),
    "difference_of_likelihoods": (
        {"likelihood_diff,none": 0.5},
        {"likelihood_diff": False},
        declare(likelihood_diff="mean"),
        {"none": [{"likelihood_diff": 0.25}, {"likelihood_diff": 0.75}]},
        ("likelihood_diff,none", 0.5, "units", False),
    ),
    "error_rate_without_a_direction": (
        {"wer,none": 1.25},
        {"wer": None},
        declare(wer="mean"),
        {"none": [{"wer": 0.5}, {"wer": 2.0}]},
        ("wer,none", 1.25, "units", False),
    ),
    "unknown_share_without_a_direction": (
        {"my_score,none": 0.5},
        {"my_score": None},
        declare(my_score="mean"),
        {"none": [{"my_score": 0.25}, {"my_score": 0.75}]},
        ("my_score,none", 50.0, "points", True),
    ),
    "xquad_zh": (
        {"f1,none": 0.5, "acc,none": 0.25},
        {"f1": True, "acc": True},
        None,
        {"none": [{"f1": 0.5, "acc": 0.0}, {"f1": 0.5, "acc": 0.5}]},
        ("acc,none", 25.0, "points", True),
    ),
}
"""Kinds of tasks whose main metric has numbers by document."""

OVER_ALL = {
    "mcc": ({"mcc,none": 0.4}, {"mcc": True}, declare(mcc=None), ("mcc,none", 0.4, "units", True)),
    "translation": (
        {"bleu,none": 0.9, "ter,none": 80.0, "chrf,none": 40.0},
        {"bleu": True, "ter": False, "chrf": True},
        declare(bleu=None, ter=None, chrf=None),
        ("bleu,none", 0.9, "points", True),
    ),
    "edits": ({"ter,none": 80.0}, {}, declare(ter=None), ("ter,none", 80.0, "points", False)),
    "perplexity": ({"perplexity,none": 0.99}, {}, [], ("perplexity,none", 0.99, "units", False)),
}
"""Kinds of tasks that only a table of whole scores can show."""


def results_of(task, reported, directions, metrics, documents):
    """What `simple_evaluate` returns, with samples."""
    samples = [
        {"doc_id": index, "filter": name, "resps": [["an answer"]], **values}
        | {f"{part}_hash": f"{part} {index}" for part in ("doc", "prompt", "target")}
        for name, of_filter in documents.items()
        for index, values in enumerate(of_filter)
    ]
    count = len(next(iter(documents.values())))
    return {
        "results": {task: {"alias": task, **reported}},
        "higher_is_better": {task: directions},
        "configs": {task: {"task": task, "metric_list": metrics}},
        "versions": {task: 1},
        "n-shot": {task: 0},
        "n-samples": {task: {"original": count, "effective": count}},
        "model_name": "org/model",
        "config": {"model": "hf"},
        "samples": {task: samples},
    }


def write(folder, task, results, with_samples):
    inside = folder / ("logged" if with_samples else "bare")
    inside.mkdir(parents=True)
    path = inside / "results_2026-01-01.json"
    path.write_text(json.dumps({key: value for key, value in results.items() if key != "samples"}))
    if with_samples:
        lines = [json.dumps(sample) + "\n" for sample in results["samples"][task]]
        (inside / f"samples_{task}_2026-01-01.jsonl").write_text("".join(lines))
    return path


def in_table(score):
    scale = Scale.of(score)
    return score.metric, pytest.approx(scale.factor * score.score), scale.unit, score.higher_is_better


def on_board(path):
    (score,) = read_results_file(path).scores
    return score.metric, pytest.approx(score.value), score.unit, score.higher_is_better


@pytest.mark.parametrize("task", KINDS)
def test_matrix_gate_and_leaderboard_show_the_same(task, tmp_path, monkeypatch):
    *parts, expected = KINDS[task]
    results = results_of(task, *parts)
    logged, bare = write(tmp_path, task, results, True), write(tmp_path, task, results, False)
    monkeypatch.setattr(lm_eval, "simple_evaluate", lambda **arguments: results)
    clusters = {index: str(index) for index in range(9)}
    prepared = PreparedTask(task, None, None, None, "", 0, clusters)
    score, *_ = evaluate_task(SimpleNamespace(show_progress=True, truncated={}, forget_truncated=dict), prepared)
    gate = read_lm_eval_folder(logged.parent).scores[task]
    assert score.documents == gate.documents
    assert (in_table(score), in_table(gate), on_board(logged), on_board(bare)) == (expected,) * 4


@pytest.mark.parametrize("task", OVER_ALL)
def test_a_score_over_all_documents_is_shown_and_not_compared(task, tmp_path, monkeypatch):
    reported, directions, metrics, expected = OVER_ALL[task]
    by_document = {name.partition(",")[0]: ["gold", "guess"] for name in reported}
    results = results_of(task, reported, directions, metrics, {"none": [by_document] * 2})
    logged, bare = write(tmp_path, task, results, True), write(tmp_path, task, results, False)
    assert on_board(bare) == on_board(logged) == expected
    monkeypatch.setattr(lm_eval, "simple_evaluate", lambda **arguments: results)
    prepared = PreparedTask(task, None, None, None, "", 0)
    message = rf"no metric of {task} is a mean over documents; found {', '.join(reported)}; expected one such as acc"
    with pytest.raises(InputError, match=message):
        evaluate_task(SimpleNamespace(show_progress=True, truncated={}, forget_truncated=dict), prepared)
    with pytest.raises(InputError, match=message):
        read_lm_eval_folder(logged.parent)


def test_the_name_of_a_metric_keeps_its_unit_whatever_the_numbers():
    assert factor_and_unit("chrf,none", [0.2, 0.9]) == factor_and_unit("chrf", [55.0]) == (1.0, "points")
    assert factor_and_unit("mcc", [0.4]) == factor_and_unit("mcc", [-0.4]) == (1.0, "units")
    assert factor_and_unit("mwork_chrf", [0.4]) == (100.0, "points")
    assert factor_and_unit("bits_per_byte,none", [0.9]) == (1.0, "bits per byte")
    # A name that says nothing: the numbers do.
    assert factor_and_unit("mine", [0.0, 1.0]) == (100.0, "points")
    assert factor_and_unit("mine", [0.0, 1.5]) == factor_and_unit("mine", [math.nan]) == (1.0, "units")
