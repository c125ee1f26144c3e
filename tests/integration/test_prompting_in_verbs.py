"""Every verb asks as it is told; a matrix and lm_eval's command that ask alike stand in one column."""

import json
from pathlib import Path

import pytest
from helpers.chat_models import PLAIN, STRICT, save_chat_model
from helpers.commands import lm_eval, mwork

import mwork_eval as mw
from mwork_eval.leaderboard.board import build_board
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.results.summaries.folders import find_results, read_all

ASKED = {"apply_chat_template": "strict", "num_fewshot": 1, "gen_kwargs": {"max_gen_toks": 4}}
OPTIONS = ["--apply-chat-template", "strict", "--num-fewshot", "1", "--gen-kwargs", "max_gen_toks=4"]

THEIRS = ["--" + o[2:].replace("-", "_") if o.startswith("--") else o for o in OPTIONS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_chat_model(tmp_path_factory.mktemp("chat") / "m", {"default": PLAIN, "strict": STRICT})


@pytest.fixture(scope="module")
def loaded(folder):
    return mw.load_model(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def sets(loaded, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sets")
    found = mw.detect(*loaded, {"en": "embedded", "zh": "embedded"}, max_docs=4, progress=False)
    save_neuron_set(found.select(fraction=0.4)["zh"], out / "zh.safetensors")
    return out


@pytest.fixture
def contexts(monkeypatch) -> list[str]:
    """The prompts that models are given."""
    from mwork_eval.lm.fast import FastHF

    seen: list[str] = []
    for kind in ("loglikelihood", "generate_until"):
        ask = getattr(FastHF, kind)

        def note(self, requests, *args, ask=ask, **options):
            seen.extend(str(request.args[0]) for request in requests)
            return ask(self, requests, *args, **options)

        monkeypatch.setattr(FastHF, kind, note)
    return seen


def assert_asked(prompts):
    """One example as turns of its own, by the template named."""
    assert prompts
    for prompt in prompts:
        assert (prompt.count("[user]"), prompt.count("[assistant]")) == (2, 1), prompt


def test_tuning_asks_as_told(loaded, sets, contexts, tmp_path):
    how = {"task": "xcsqa", "limit": 2, "data": "embedded", "positions": "all", "understanding": [1]}
    mw.tune_layers(*loaded, str(sets), **how, generation=[1, 2], out=tmp_path, progress=False, **ASKED)
    assert_asked(contexts)
    said = json.loads((tmp_path / "tuning.json").read_text())["prompting"]
    assert (said["chat_template"], said["template_name"], said["num_fewshot"]) == (STRICT, "strict", 1)


def test_a_lens_reads_the_prompts_as_they_are_asked(loaded, monkeypatch):
    from mwork_eval.application import lens_looks

    seen: list[str] = []
    read = lens_looks.distinct_queries
    monkeypatch.setattr(
        lens_looks,
        "distinct_queries",
        lambda tokenizer, texts, most: seen.extend(texts) or read(tokenizer, texts, most),
    )
    found = mw.lens(*loaded, tasks="xquad", languages="zh", limit=2, data="embedded", progress=False, **ASKED)
    assert_asked(seen)
    assert found.about["prompting"]["template_name"] == "strict"
    with pytest.raises(mw.InputError, match="only the prompts of tasks"):
        mw.lens(*loaded, {"zh": ["今天"]}, progress=False, num_fewshot=1)


def test_an_enhancement_is_scored_as_told(loaded, sets, contexts):
    texts = [f"今天是第{n}天，天气很好，我们一起去学校上课。" for n in range(36)]
    how = {"documents": (4,), "trained_controls": 0, "languages": ["en"], "limit": 2, "data": "embedded"}
    neurons = mw.read_neurons(sets / "zh.safetensors")
    made = mw.enhance(*loaded, neurons, texts, tasks="xcsqa", progress=False, **how, **ASKED)
    assert_asked(contexts)
    assert made.about["prompting"]["num_fewshot"] == 1
    with pytest.raises(mw.InputError, match="only scores are asked for in a way"):
        mw.enhance(*loaded, neurons, texts, progress=False, documents=(4,), num_fewshot=1)


def test_detection_and_a_matrix_in_one_go_ask_as_told(folder, contexts, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("apply-chat-template: strict\nnum-fewshot: 1\ngen-kwargs: max_gen_toks=4\n")
    mwork(
        "run", "--config", config, "--model", folder, "--device", "cpu", "--languages", "en,zh", "--max-docs", "4",
        "--fraction", "0.4", "--preset", "existence", "--tasks", "xquad", "--limit", "1", "--seeds", "1",
        "--model-args", "attn_implementation=eager", "--out", tmp_path / "o",
    )  # fmt: skip
    assert_asked(contexts)
    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text())
    assert manifest["model_args"] == {"attn_implementation": "eager"}


def test_a_matrix_and_lm_eval_that_ask_alike_stand_in_one_column(folder, sets, tmp_path):
    mwork(
        "ablate", "--model", folder, "--neurons", sets, "--preset", "existence", "--tasks", "xquad", "--languages",
        "en,zh", "--data", "embedded", "--seeds", "1", "--dtype", "float32", "--device", "cpu", "--limit", "3",
        "--out", tmp_path / "matrix", *OPTIONS,
    )  # fmt: skip
    manifest = json.loads((tmp_path / "matrix" / "manifest.json").read_text())
    assert manifest["prompting"]["chat_template"] == STRICT
    (cell,) = (one for one in manifest["cells"] if one["setting"] is None and one["language"] == "en")
    lines = (tmp_path / "matrix" / "cells" / f"{cell['identity']}.jsonl").read_text().splitlines()[1:]
    documents = sorted({json.loads(line)["doc_id"] for line in lines})
    for name, asked in (("alike", THEIRS), ("plain", [])):
        done = lm_eval(
            "--model", "mwork-hf", "--model_args", f"pretrained={folder},dtype=float32", "--device", "cpu",
            "--tasks", "xquad_en", "--metadata", "data=embedded", "--batch_size", "8", "--log_samples",
            "--samples", json.dumps({"xquad_en": documents}), "--output_path", str(tmp_path / name), *asked,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    found = read_all(find_results([tmp_path]))[0]
    (board,) = build_board(found).benchmarks
    columns = {column.label: {score.folder for score in of.values()} for column, of in board.scores.items()}
    matching = [label for label in columns if label.startswith("en (3; chat template ")]
    assert len(matching) == 1
    assert "en (3)" in columns
    # Both are there, and are equal; a column shows the newest of a model.
    scores = [s for results in found for s in results.scores if s.task == "xquad_en" and s.prompting]
    assert len(scores) == 2
    assert len({score.compared_by for score in scores}) == 1
    assert scores[0].value == pytest.approx(scores[1].value)
    problems = mw.check(tmp_path / "alike", tmp_path / "plain").problems
    assert any("another prompting; found chat template" in one.reason for one in problems)
    assert not mw.check(tmp_path / "matrix", tmp_path / "alike").problems


def test_prompts_that_are_cut_are_counted(loaded, sets):
    how = {"preset": "existence", "tasks": "xcsqa", "limit": 2, "data": "embedded", "seeds": [1], "progress": False}
    found = mw.ablate(*loaded, str(sets), model_args={"max_length": 60}, **how, **ASKED)._repr_html_()
    assert "2 of 2 prompts of xcsqa_en lost their beginning" in found
    assert "Model arguments: max_length=60." in found
