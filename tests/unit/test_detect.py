"""Detection from Python, in a model that is already in memory."""

import copy

import numpy as np
import pytest
import torch
import transformers
from conftest import _COMMON, make_model

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.models import default_model
from mwork_eval.models.loading import name_of
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.resources import embedded_folder

QUIET = {"max_docs": 4, "max_tokens": 24, "progress": Silent()}


def lines(language: str, count: int = 5) -> list[str]:
    return (embedded_folder() / f"corpus/{language}.txt").read_text(encoding="utf-8").splitlines()[:count]


def state_of(model) -> dict:
    """All of a model that a detection must leave alone, as values."""
    parts = {"parameters": dict(model.named_parameters()), "buffers": dict(model.named_buffers())}
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs")
    configs = {id(one): one for module in model.modules() if (one := getattr(module, "config", None)) is not None}
    return {
        **{what: {name: (id(one), one.clone()) for name, one in tensors.items()} for what, tensors in parts.items()},
        "hooks": {name: [dict(getattr(module, kind)) for kind in hooks] for name, module in model.named_modules()},
        "forward": {name: module.__dict__.get("forward") for name, module in model.named_modules()},
        "training": {name: module.training for name, module in model.named_modules()},
        "configs": copy.deepcopy([vars(one) for one in configs.values() if hasattr(one, "model_type")]),
    }


def assert_same_state(before: dict, after: dict) -> None:
    for what in ("parameters", "buffers"):
        assert before[what].keys() == after[what].keys()
        for name, (identity, values) in before[what].items():
            assert identity == after[what][name][0]
            assert torch.equal(values, after[what][name][1])
    for what in ("hooks", "forward", "training"):
        assert before[what] == after[what]
    assert repr(before["configs"]) == repr(after["configs"])


def hooked(tokenizer):
    """A model in the midst of work: partly in training mode, with hooks, one forward replaced."""
    model, calls = make_model("llama"), []
    model.train()
    model.model.layers[1].eval()
    model.model.layers[0].register_forward_hook(lambda *_: calls.append("hook"))
    model.model.layers[1].mlp.register_forward_pre_hook(lambda *_: calls.append("pre"))
    return model, calls


def test_a_model_in_memory_is_left_as_it_was_and_its_hooks_are_called(tokenizer):
    model, calls = hooked(tokenizer)
    before = state_of(model)
    found = mw.detect(model, tokenizer, {"en": lines("en"), "zh": lines("zh")}, **QUIET)
    assert_same_state(before, state_of(model))
    assert {"hook", "pre"} <= set(calls)
    plain = mw.detect(make_model("llama"), tokenizer, {"zh": lines("zh")}, **QUIET)
    np.testing.assert_array_equal(found.tables["zh"].mean[2, "q"], plain.tables["zh"].mean[2, "q"])


def test_after_an_exception_it_is_as_it_was_too(tokenizer, monkeypatch):
    def failing(*_):
        raise RuntimeError("stop")

    monkeypatch.setattr(Scorer, "attention", failing)
    model, _ = hooked(tokenizer)
    before = state_of(model)
    with pytest.raises(RuntimeError, match="stop"):
        mw.detect(model, tokenizer, {"en": lines("en")}, **QUIET)
    assert_same_state(before, state_of(model))


def test_each_part_of_a_model_keeps_its_own_attention(tokenizer):
    heads = {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 8, "query_pre_attn_scalar": 8}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = transformers.Gemma3ForConditionalGeneration(
        transformers.Gemma3Config(
            text_config={**_COMMON, **heads, "sliding_window": 5},
            vision_config={**vision, "image_size": 16, "patch_size": 8},
            mm_tokens_per_image=4, image_token_index=5, boi_token_index=6, eoi_token_index=7,
            attn_implementation={"text_config": "eager", "vision_config": "sdpa"},
        )
    )  # fmt: skip
    before = state_of(model)
    mw.detect(model, tokenizer, {"en": lines("en")}, **QUIET)
    assert_same_state(before, state_of(model))
    assert model.config.text_config._attn_implementation == "eager"


def test_bfloat16_and_tied_embeddings_stay(tokenizer):
    model = make_model("gemma3").to(torch.bfloat16)
    model.tie_weights()
    before = state_of(model)
    found = mw.detect(model, tokenizer, {"en": lines("en")}, **QUIET)
    assert_same_state(before, state_of(model))
    assert found.tables["en"].about["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("family", "targets"), [("llama", ["q_proj", "o_proj", "up_proj", "down_proj"]), ("gpt2", ["c_attn", "c_proj"])]
)
def test_an_unmerged_adapter_is_scored_as_the_merged_one(tokenizer, family, targets):
    peft = pytest.importorskip("peft", reason="peft is optional")
    config = peft.LoraConfig(target_modules=targets, init_lora_weights=False, fan_in_fan_out=family == "gpt2")
    adapted = peft.get_peft_model(make_model(family), config)
    before = state_of(adapted)
    found = mw.detect(adapted, tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    assert_same_state(before, state_of(adapted))
    merged = copy.deepcopy(adapted).merge_and_unload()
    expected = mw.detect(merged, tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    without = mw.detect(make_model(family), tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    for place, values in expected.mean.items():
        np.testing.assert_allclose(found.mean[place], values, rtol=1e-4)
        assert not np.allclose(without.mean[place], values, rtol=1e-2)


def test_an_adapter_whose_weights_are_no_sum_is_scored_and_one_of_experts_is_refused(tokenizer):
    peft = pytest.importorskip("peft", reason="peft is optional")
    config = peft.LoraConfig(target_modules=["o_proj"], use_dora=True, init_lora_weights=False)
    adapted = peft.get_peft_model(make_model("llama"), config)
    found = mw.detect(adapted, tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    merged = mw.detect(copy.deepcopy(adapted).merge_and_unload(), tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    np.testing.assert_allclose(found.mean[1, "o"], merged.mean[1, "o"], rtol=1e-4)
    with adapted.disable_adapter():
        without = mw.detect(adapted, tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    plain = mw.detect(make_model("llama"), tokenizer, {"en": lines("en")}, **QUIET).tables["en"]
    np.testing.assert_allclose(without.mean[1, "o"], plain.mean[1, "o"], rtol=1e-5)
    config = peft.LoraConfig(target_modules=["q_proj"], target_parameters=["mlp.experts.down_proj"])
    with pytest.raises(mw.InputError, match=r"experts beneath an adapter cannot be read.*merge"):
        mw.detect(peft.get_peft_model(make_model("mixtral"), config), tokenizer, {"en": lines("en")}, **QUIET)


def test_lists_files_and_embedded_texts_give_the_same(tokenizer, tmp_path):
    model, found = make_model("llama"), []
    path = tmp_path / "zh.txt"
    path.write_text("\n".join(lines("zh")), encoding="utf-8")
    for texts in (lines("zh"), iter(lines("zh")), path, str(path)):
        table = mw.detect(model, tokenizer, {"zh": texts}, document_seed=3, **QUIET).tables["zh"]
        found.append((table.about["corpus"]["digest"], table.worst_rank[1, "up"].tolist()))
    assert found == found[:1] * 4
    in_memory = mw.detect(model, tokenizer, {"zh": lines("zh")}, **QUIET).tables["zh"].about["corpus"]
    embedded = mw.detect(model, tokenizer, {"zh": "embedded"}, **QUIET).tables["zh"].about["corpus"]
    assert in_memory == {**embedded, "name": "memory"}
    others = mw.detect(model, tokenizer, {"zh": lines("zh")[1:]}, **QUIET).tables["zh"].about["corpus"]
    assert others["digest"] != in_memory["digest"]


def test_nothing_is_written_unless_asked(tokenizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {"en": lines("en"), "zh": lines("zh")}
    found = mw.detect(make_model("llama"), tokenizer, texts, max_memory="100KiB", **QUIET)
    assert list(tmp_path.iterdir()) == []
    found.save("saved", fraction=0.4)
    mw.detect(make_model("llama"), tokenizer, texts, out="out", max_memory="100KiB", **QUIET)
    for language in ("en", "zh"):
        name = f"scores/{language}.safetensors"
        assert (tmp_path / "saved" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert load_neuron_set(tmp_path / "saved/zh.safetensors") == found.select(fraction=0.4)["zh"]


def test_a_folder_is_that_of_the_command_and_is_used_again(tokenizer, tiny_llama, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from mwork_eval.cli.main import main

    command = f"detect --languages en,zh --max-docs 8 --max-tokens 24 --fraction 0.4 --set-draws 2 --model {tiny_llama}"
    run = CliRunner().invoke(main, [*command.split(), "--device", "cpu", "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    model, own = mw.load_model(tiny_llama, device="cpu")
    texts, how = {"en": "embedded", "zh": "embedded"}, {**QUIET, "max_docs": 8}
    found = mw.detect(model, own, texts, out=tmp_path / "python", set_draws=2, **how)
    found.save(tmp_path / "python", fraction=0.4)
    files = {path.relative_to(tmp_path / "python") for path in (tmp_path / "python").rglob("*.safetensors")}
    assert {str(file) for file in files} >= {"zh.safetensors", "scores/en.safetensors", "draws/2/zh.safetensors"}
    for file in files:
        assert (tmp_path / "python" / file).read_bytes() == (tmp_path / file).read_bytes()
    monkeypatch.setattr(Scorer, "score", None)
    again = mw.detect(model, own, texts, out=tmp_path, **how)
    assert again.tables["zh"].about["model"] == str(tiny_llama)


def test_without_english_a_folder_gets_scores_alone_and_says_so(tokenizer, tmp_path, caplog):
    found = mw.detect(make_model("llama"), tokenizer, {"zh": lines("zh")}, out=tmp_path, **QUIET)
    assert [path.name for path in tmp_path.rglob("*.safetensors")] == ["zh.safetensors"]
    assert "English was not scored" in caplog.text
    assert len(found.select(fraction=0.4, specific="none")["zh"]) > 0


def test_it_shows_itself(tokenizer):
    texts = {"en": lines("en"), "zh": ["short", *lines("zh")[:1], *lines("zh")]}
    found = mw.detect(make_model("llama"), tokenizer, texts, set_draws=2, **QUIET)
    assert repr(found) == "<Detection: en 4 documents, 96 tokens; zh 4 documents, 96 tokens>"
    assert "<td>en</td><td>4</td><td>96</td><td>none</td>" in found._repr_html_()
    assert "<td>zh</td><td>4</td><td>96</td><td>1 short, 1 duplicates</td>" in found._repr_html_()
    with pytest.raises(mw.InputError, match="too few documents of en"):
        found.select_draws()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "no texts given"),
        ({"xx": ["a"]}, "unknown language"),
        ({"en": "nowhere.txt"}, "no corpus for en"),
        ({"en": [{"text": "a"}]}, "a document of en is no text; found dict"),
        ({"en": ["too short"]}, "the corpus memory for en has too few usable documents"),
    ],
)
def test_texts_that_are_none(tokenizer, texts, message):
    with pytest.raises(mw.InputError, match=message):
        mw.detect(make_model("llama"), tokenizer, texts, **QUIET)


def test_the_name_of_a_model_is_what_it_was_loaded_by(tiny_llama, monkeypatch, tmp_path):
    model, _ = mw.load_model(tiny_llama, device="cpu")
    assert name_of(model) == str(tiny_llama)
    assert name_of(make_model("llama")) == "LlamaForCausalLM"
    monkeypatch.setenv("MWORK_CACHE", str(tmp_path))
    folder = tmp_path / "models" / default_model.NAME
    folder.parent.mkdir()
    folder.symlink_to(tiny_llama)
    monkeypatch.setattr(default_model, "is_intact", lambda _: True)
    model, _ = mw.load_model(default_model.NAME, device="cpu")
    assert name_of(model) == default_model.NAME
    peft = pytest.importorskip("peft", reason="peft is optional")
    assert name_of(peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"]))) == default_model.NAME
