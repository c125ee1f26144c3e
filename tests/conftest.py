"""Tiny random models of every family, with a tokenizer, made from configurations: no download, no GPU."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Tiny models gain nothing by threads, and `make test` has a process for each core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from functools import cache
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.utils import collect_env

from mwork_eval.models.layout import Layout
from mwork_eval.resources import embedded_folder

pytest.register_assert_rewrite("helpers")  # an assert that fails there shows what it compared, too

# lm-eval notes it with every evaluation: seconds of pip, git and lscpu, which find the same each time.
collect_env.get_pretty_env_info = cache(collect_env.get_pretty_env_info)

_COMMON = {
    "vocab_size": 384,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 4,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "tie_word_embeddings": False,
    # Large enough for attention that is far from uniform, so that the scores differ.
    "initializer_range": 0.3,
}
_GROUPED = {"num_attention_heads": 4, "num_key_value_heads": 2}
_OLD = {key: _COMMON[key] for key in ("vocab_size", "hidden_size", "initializer_range", "bos_token_id", "eos_token_id")}
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**_COMMON, num_attention_heads=6, num_key_value_heads=2),
    "mistral": lambda: transformers.MistralConfig(
        **_COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=6, sliding_window=5
    ),
    "qwen2": lambda: transformers.Qwen2Config(**_COMMON, num_attention_heads=4, num_key_value_heads=2),
    "qwen3": lambda: transformers.Qwen3Config(**_COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=8),
    "gemma2": lambda: transformers.Gemma2Config(
        **_COMMON,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=5,
        attn_logit_softcapping=3.0,
        query_pre_attn_scalar=8,
    ),
    "gemma3": lambda: transformers.Gemma3TextConfig(
        **_COMMON,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=5,
        query_pre_attn_scalar=8,
        layer_types=["sliding_attention", "full_attention"] * 2,
    ),
    "gemma": lambda: transformers.GemmaConfig(**_COMMON, num_attention_heads=4, num_key_value_heads=1, head_dim=8),
    "mixtral": lambda: transformers.MixtralConfig(
        **{**_COMMON, "intermediate_size": 16}, **_GROUPED, num_local_experts=4, num_experts_per_tok=2
    ),
    "qwen3-moe": lambda: transformers.Qwen3MoeConfig(
        **_COMMON,
        **_GROUPED,
        head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        mlp_only_layers=[2],
        decoder_sparse_step=1,
    ),
    "phi3": lambda: transformers.Phi3Config(
        **{**_COMMON, "hidden_size": 32},
        **_GROUPED,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5},
    ),
    "olmo2": lambda: transformers.Olmo2Config(**_COMMON, **_GROUPED),
    "granite": lambda: transformers.GraniteConfig(
        **_COMMON, **_GROUPED, attention_multiplier=0.3, residual_multiplier=0.5
    ),
    "cohere": lambda: transformers.CohereConfig(**_COMMON, **_GROUPED),
    "falcon": lambda: transformers.FalconConfig(
        **_OLD, num_hidden_layers=4, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True
    ),
    "gpt-neox": lambda: transformers.GPTNeoXConfig(**_COMMON, num_attention_heads=3),
    "bloom": lambda: transformers.BloomConfig(**_OLD, n_layer=4, n_head=4),
    "opt": lambda: transformers.OPTConfig(
        vocab_size=384,
        hidden_size=24,
        word_embed_proj_dim=24,
        ffn_dim=40,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=512,
        init_std=0.3,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    ),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=384,
        n_embd=24,
        n_layer=4,
        n_head=4,
        n_positions=512,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=1,
    ),
}
FAMILIES = sorted(CONFIGS)
VARIANTS = {
    "falcon-7b": lambda: transformers.FalconConfig(
        **_OLD,
        num_hidden_layers=2,
        num_attention_heads=4,
        multi_query=True,
        new_decoder_architecture=False,
        bias=True,
        parallel_attn=True,
    ),
    "falcon-rw": lambda: transformers.FalconConfig(
        **_OLD,
        num_hidden_layers=2,
        num_attention_heads=4,
        multi_query=False,
        new_decoder_architecture=False,
        alibi=True,
        bias=True,
        parallel_attn=False,
    ),
    "cohere-normed": lambda: transformers.CohereConfig(**_COMMON, **_GROUPED, use_qk_norm=True),
    "llama-yarn": lambda: transformers.LlamaConfig(
        **_COMMON,
        **_GROUPED,
        rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0},
    ),
    "gpt2-scaled": lambda: transformers.GPT2Config(
        vocab_size=384,
        n_embd=24,
        n_layer=3,
        n_head=4,
        n_positions=512,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=1,
        scale_attn_by_inverse_layer_idx=True,
    ),
}
"""Members of a family that are built differently."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutations", type=int, default=500, help="damaged copies of a file per loader")
    parser.addoption("--flips", type=int, default=300, help="files with a changed bit in all")
    parser.addoption("--kills", type=int, default=2, help="how often each command is killed")


def make_model(family: str, seed: int = 0) -> transformers.PreTrainedModel:
    """Build a tiny random model; biases and norms get random values too, so that none is trivially zero."""
    torch.manual_seed(seed)
    config = (CONFIGS | VARIANTS)[family]()
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name or ".ln_" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def make_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Train a byte-level tokenizer on the embedded texts: it can encode every language."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [(embedded_folder() / f"corpus/{code}.txt").read_text(encoding="utf-8") for code in ("en", "zh")]
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


@pytest.fixture(scope="module")
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def layout(family: str) -> Layout:
    return Layout.of(make_model(family))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Llama and its tokenizer, as transformers saves them."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    make_model("llama").save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_qwen2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Qwen 2 and its tokenizer: another model than `tiny_llama`."""
    folder = tmp_path_factory.mktemp("models") / "tiny-qwen2"
    make_model("qwen2").save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def no_other_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let benchmarks come from nowhere but the folders that a test names."""
    monkeypatch.delenv("MWORK_DATA", raising=False)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a test asked for the network")

    monkeypatch.setattr("datasets.load_dataset", refuse)
