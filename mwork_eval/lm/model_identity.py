"""What determines a model's answers besides the mask and the request."""

import json
from collections.abc import Mapping
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.inference.rotary import Rotary
from mwork_eval.interventions.running import running_on
from mwork_eval.lm.asking import ASKING
from mwork_eval.models.blocks import without_adapters

_ORIGINS = ("name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures", "quantization_config")
_OPTIONS = ("add_bos_token", "max_length", "prefix_token_id", "eot_token_id", "max_gen_toks", "truncation")
_NO_ANSWER = {
    *("batch_size", "max_batch_size", "memory", "fast", "logits_cache", "cache_dir", "local_files_only", "token"),
    *("device", "device_map", "parallelize", "gpus", "max_memory_per_gpu", "max_cpu_memory", "offload_folder"),
    "low_cpu_mem_usage",
}
"""Arguments that change no answer: how fast, where and from which disk."""
_TOLD = {
    *ASKING,
    *_NO_ANSWER,
    *("tokenizer", "use_fast_tokenizer", "trust_remote_code", "revision", "subfolder", "dtype", "delta"),
    *("softmax_dtype", "mixed_precision_dtype"),
}
"""Arguments that change no answer, or are known from the model that they made, or from requests."""
_TYPES = ("softmax_dtype", "mixed_precision_dtype", "think_end_token")


def digest_of_answers(lm: Any, fingerprint: str, rotary: Rotary) -> str:
    """Return a digest of weights, dtype, tokenizer and options.

    Args:
        lm: An `hf` model of lm-eval.
        fingerprint: Fingerprint of its weights.
        rotary: Its rotary embeddings.
    """
    return digest_of(
        [
            fingerprint,
            str(getattr(lm.model, "dtype", "")),
            digest_of_vocabulary(lm.tokenizer),
            options_of(lm),
            {name: str(getattr(lm, name, None)) for name in _TYPES},
            settings_of(lm.model.config),
            settings_of(lm.model.generation_config),
            # Absent where they change nothing, so that results made before they existed stay known.
            *(["two beginnings"] if lm.double_bos else []),
            *(["long rows alone"] if rotary.reach is not None else []),
            *(["texts go on"] if lm.adds[1] and lm.add_bos_token is not False else []),
            *(["adapters", adapters] if lm.in_memory and (adapters := _adapters(lm.model)) else []),
            *(["interventions", digests] if (digests := running_on(lm.model)) else []),
            *(["loaded with", given] if (given := lm.loaded_with) else []),
        ]
    )


def told_of_loading(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return, of the arguments of `hf`, those that may change answers and cannot be seen on the model afterwards.

    Args:
        arguments: The arguments, such as `attn_implementation` or those of a quantisation.
    """
    return {name: str(value) for name, value in arguments.items() if name not in _TOLD and value is not None}


def answering(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return, of the arguments of a model, those that may change its answers.

    Args:
        arguments: The arguments; None is the same as not to give one.
    """
    return {name: value for name, value in arguments.items() if name not in _NO_ANSWER and value is not None}


def identity_with_delta(identity: str, delta: str) -> str:
    """Return the identity of a model with a delta in its weights.

    Args:
        identity: Identity of the base.
        delta: Digest of the delta.
    """
    return digest_of([identity, delta])


def _adapters(model: Any) -> list[Any]:
    """Return what peft's layers do besides their weights: which adapters are on, and how strong they are."""
    return [
        [
            path,
            type(module).__name__,
            list(module.active_adapters),
            bool(module.disable_adapters),
            dict(getattr(module, "scaling", {})),
        ]
        for path, module in model.named_modules()
        if without_adapters(module) is not module and hasattr(module, "active_adapters")
    ]


def digest_of_vocabulary(tokenizer: Any) -> str:
    """Return a digest of how a tokenizer cuts texts."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
    if backend is not None:
        # What the last call asked for, not what the tokenizer is.
        vocabulary["truncation"] = vocabulary["padding"] = None
    return digest_of(vocabulary)


def options_of(lm: Any) -> dict[str, Any]:
    """Return how a model of lm-eval is asked, besides requests."""
    return {name: getattr(lm, name, None) for name in _OPTIONS}


def settings_of(config: Any) -> dict[str, Any]:
    """Return what a configuration says of the computation: not where it came from, nor by which version."""
    if config is None:
        return {}
    found: dict[str, Any] = config.to_dict()
    return {key: value for key, value in found.items() if key not in _ORIGINS and not key.startswith("_")}
