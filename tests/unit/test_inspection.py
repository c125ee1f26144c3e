"""What `mwork inspect` finds in configurations alone, of architectures that have something special each."""

import pytest
from conftest import CONFIGS
from helpers.commands import mwork
from transformers import AutoConfig

import mwork_eval
from mwork_eval.models.rotary_pairs import rotary_pairs

FOUND = {
    "cohere2": [
        "attention in layers 0-2, 4-6, 8-10, ..., 36-38 (30 of them): 64 heads of 128 channels, window of 4,096 "
        "tokens, "
        "rotary (interleaved)",
        "attention in layers 3, 7, 11, ..., 39 (10 of them): 64 heads of 128 channels, no rotary positions",
    ],
    "gemma4_text": [
        "8 query and 4 key/value heads of 256 channels, window of 512 tokens, rotary (half), norms of q, k, v by head",
        "8 query and 4 key/value heads of 512 channels, rotary (half, 128 of 512 channels), norms of q, k, v by head",
        "feed-forward: 9,216, gated, gelu_pytorch_tanh",
    ],
    "qwen3_next": [
        "attention in layers 3, 7, 11, ..., 47 (12 of them): 16 query and 2 key/value heads of 256 channels, "
        "rotary (half, 64 of 256 channels), norms of q, k by head, output gate",
        "mixer in layers 0-2, 4-6, 8-10, ..., 44-46 (36 of them): linear attention",
        "feed-forward: 512 experts of 512, 10 per token and shared 512, gated, silu",
    ],
    "llama4_text": [
        "chunks of 8,192 tokens, rotary (interleaved)",
        "attention in layers 3, 7, 11, ..., 47 (12 of them): 40 query and 8 key/value heads of 128 channels, "
        "no rotary positions",
        "feed-forward: 16 experts of 8,192, 1 per token and shared 8,192, gated, silu",
    ],
    "ministral3": ["attention: 32 query and 8 key/value heads of 128 channels, rotary (half)"],
    "gpt_oss": [
        "window of 128 tokens, rotary (half), biases of q, k, v, o, sinks",
        "feed-forward: 128 experts of 2,880, 4 per token, gated, biases",
        "fused: gate+up",
    ],
    "deepseek_v3": [
        "attention: latent, 128 heads of 192 channels (128 of values), rotary (interleaved, 64 of 192 channels)",
        "feed-forward in layers 0-2: 18,432, gated, silu",
        "feed-forward in layers 3-60: 256 experts of 2,048, 8 per token and shared 2,048, gated, silu",
        "fused: k+v, gate+up",
    ],
    "glm4": ["rotary (interleaved, 64 of 128 channels), biases of q, k, v", "fused: gate+up"],
    "smollm3": ["rotary (half)", "attention in layers 3, 7, 11, ..., 35 (9 of them): ", "no rotary positions"],
    "falcon_h1": ["attention: 32 query and 8 key/value heads of 128 channels, rotary (half)", "mixer: state space"],
    "exaone4": ["window of 4,096 tokens, rotary (half), norms", "128 channels, no rotary positions, norms"],
    "jamba": [
        "attention in layers 4, 12, 20, 28: 32 query and 8 key/value heads of 128 channels, no positions",
        "mixer in layers 0-3, 5-11, 13-19, ..., 29-31 (28 of them): state space",
        "feed-forward in layers 1, 3, 5, ..., 31 (16 of them): 16 experts of 14,336, 2 per token, gated, silu",
        "│ 4 from 4  ",
    ],
    "nemotron_h": ["mixer in layer 0: state space", "feed-forward in layer 3: 21,504, no gate, relu2"],
    "gptj": ["16 heads of 256 channels, rotary (interleaved, 64 of 256 channels)", "no gate, gelu_new, biases"],
    "gpt_neo": ["window of 256 tokens, learnt positions, biases of o"],
    "gemma2": ["logits capped at 50"],
    "bloom": ["ALiBi, biases of q, k, v, o"],
}


@pytest.mark.parametrize("model_type", FOUND)
def test_what_is_found_is_said(model_type, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    AutoConfig.for_model(model_type).save_pretrained(tmp_path)
    printed = mwork("inspect", tmp_path)
    assert not [words for words in FOUND[model_type] if words not in printed], printed


def test_layers_are_as_many_as_the_model_has(tmp_path):
    AutoConfig.for_model("jamba").save_pretrained(tmp_path)
    found = mwork_eval.inspect(tmp_path)
    by_kind = {
        kind: sorted(layer for part in found.parts if part.kind == kind for layer in part.layers)
        for kind in ("attention", "mixer", "feed-forward")
    }
    assert by_kind["attention"] == [4, 12, 20, 28]
    assert sorted(by_kind["attention"] + by_kind["mixer"]) == by_kind["feed-forward"] == list(range(32))
    assert repr(found) == f"<ModelInspection of {tmp_path}: jamba, 32 layers, {found.shape.switches:,} neurons>"
    assert found.covered
    assert not found.loaded
    assert found.agrees is None
    found.check()


def test_small_models_have_more_than_nothing(tmp_path):
    CONFIGS["llama"]().save_pretrained(tmp_path)
    count = mwork_eval.inspect(tmp_path).parameters
    assert 1000 < count < 500_000
    small = f"{count / 1e3:,.0f} K parameters: {count * 4 / 2**20:.1f} MiB in float32, {count / 2**19:.1f} MiB in"
    assert small in mwork("inspect", tmp_path)
    config = CONFIGS["llama"]()
    config.vocab_size = 5_000_000
    config.save_pretrained(tmp_path)
    assert "240 M parameters: 0.9 GiB in float32, 0.4 GiB in bfloat16" in mwork("inspect", tmp_path)


def test_what_the_tests_do_not_cover_is_said(tmp_path):
    CONFIGS["llama"]().save_pretrained(tmp_path)
    assert "detection: yes, methods exact, paper and reference\n" in mwork("inspect", tmp_path)


def test_pairs_are_those_that_the_rotary_function_turns():
    import torch
    from transformers.models.gptj.modeling_gptj import GPTJAttention, GPTJConfig
    from transformers.models.llama.modeling_llama import LlamaAttention, LlamaConfig

    with torch.device("meta"):
        assert rotary_pairs(LlamaAttention(LlamaConfig(), 0)) == "half"
        assert rotary_pairs(GPTJAttention(GPTJConfig(), 0)) == "interleaved"
    assert rotary_pairs(torch.nn.Linear(2, 2)) is None
