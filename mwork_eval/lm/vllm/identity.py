"""What determines the answers of an engine of vLLM besides the mask and the request."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.lm.model_identity import digest_of_vocabulary, options_of, settings_of

_NO_ANSWER = {
    *("model", "tokenizer", "revision", "tokenizer_revision", "tokenizer_mode", "trust_remote_code", "download_dir"),
    *("gpu_memory_utilization", "kv_cache_memory_bytes", "max_num_seqs", "max_num_batched_tokens", "swap_space"),
    *("cpu_offload_gb", "disable_log_stats", "enforce_eager", "distributed_executor_backend", "max_model_len", "dtype"),
    *("load_format", "model_loader_extra_config", "worker_extension_cls", "use_tqdm_on_load", "max_lora_rank"),
    *("tensor_parallel_size", "pipeline_parallel_size", "enable_expert_parallel", "quantization"),
}
"""Arguments of vLLM that change no answer, or are told elsewhere in the identity."""


def engine_of(config: Any, data_parallel_size: int) -> dict[str, Any]:
    """Return what of an engine changes its arithmetic, as it goes into results; JSON values.

    Args:
        config: vLLM's configuration of the engine.
        data_parallel_size: How many such engines lm-eval shares requests among.
    """
    parallel = config.parallel_config
    return {
        "name": "vllm",
        "version": version("vllm"),
        "dtype": str(config.model_config.dtype),
        "quantization": config.model_config.quantization,
        "tensor_parallel_size": parallel.tensor_parallel_size,
        "pipeline_parallel_size": parallel.pipeline_parallel_size,
        "expert_parallel": bool(parallel.enable_expert_parallel),
        "data_parallel_size": data_parallel_size,
    }


def digest_of_engine(lm: Any, fingerprint: str, engine: Mapping[str, Any]) -> str:
    """Return a digest of weights, engine, tokenizer and options.

    Args:
        lm: A `vllm` model of lm-eval.
        fingerprint: Fingerprint of its weights.
        engine: What `engine_of` says.
    """
    given = {key: str(value) for key, value in lm.model_args.items() if key not in _NO_ANSWER and value is not None}
    return digest_of(
        [
            fingerprint,
            dict(engine),
            digest_of_vocabulary(lm.tokenizer),
            options_of(lm),
            [str(lm.truncation_side), str(lm.think_end_token), str(lm.lora_request and lm.lora_request.lora_path)],
            settings_of(lm._config),
            given,
            lm.double_bos,
        ]
    )
