"""vLLM in tests: when, in which processes, and tiny random models that it takes (its kernels want heads of 32)."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import transformers
from conftest import make_tokenizer

NEEDS_VLLM = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vLLM: .ci/vllm_environment.py"),
]


@contextmanager
def alone(gibibytes: int = 1) -> Iterator[None]:
    """Let vLLM compute in this process, and take little memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", str(gibibytes))
        yield


@contextmanager
def ranks(gibibytes: int = 1) -> Iterator[None]:
    """Let two ranks have a core each; by itself vLLM gives each a NUMA node of its own, where there are two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0|1")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", str(gibibytes))
        yield


_COMMON = {
    "vocab_size": 384,
    "hidden_size": 128,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "max_position_embeddings": 512,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "tie_word_embeddings": False,
    "initializer_range": 0.2,
}
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**_COMMON),
    "phi3": lambda: transformers.Phi3Config(**_COMMON),  # q, k, v in one matrix, gate and up in another
    "qwen2": lambda: transformers.Qwen2Config(**_COMMON),  # biases
    "mixtral": lambda: transformers.MixtralConfig(
        **{**_COMMON, "intermediate_size": 128}, num_local_experts=4, num_experts_per_tok=2
    ),
}


def save_tiny(family: str, folder: Path) -> Path:
    """Write a model and its tokenizer."""
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS[family]())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
