"""With which arguments an engine of vLLM is started, and what is said if it is not."""

import os
from collections.abc import Mapping
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.lm.vllm.weights import WeightState
from mwork_eval.vllm_plugin.names import EXTENSION, LOAD_FORMAT, SETTING
from mwork_eval.vllm_plugin.wire import to_wire

_FORMATS = {"auto": "hf", "hf": "hf", "safetensors": "safetensors"} | {
    name: name for name in ("fastsafetensors", "instanttensor")
}
"""Which files a `load_format` reads, all by the names that transformers gives tensors."""
_CACHE_ON_CPU = 4 * 2**30


def engine_arguments(given: Mapping[str, Any], state: WeightState, *, alone: bool) -> dict[str, Any]:
    """Return arguments of vLLM by which an engine loads weights as they should be.

    Args:
        given: The user's arguments of vLLM.
        state: The weights.
        alone: Whether nobody will ask the workers what they met.

    Raises:
        InputError: If the user's arguments say how weights are loaded, and it is not by our loader.
    """
    form = str(given.get("load_format") or "auto").lower()
    if form not in _FORMATS:
        raise InputError(
            "mwork-vllm cannot load weights in this format", found=f"load_format={form}", expected=" ".join(_FORMATS)
        )
    if given.get("worker_extension_cls") not in (None, "", EXTENSION):
        raise InputError("vLLM takes one worker extension", found=given["worker_extension_cls"], expected=EXTENSION)
    setting = {"edits": to_wire(state.edits, state.shapes), "format": _FORMATS[form], "alone": alone}
    return {
        "load_format": LOAD_FORMAT,
        "model_loader_extra_config": {**(given.get("model_loader_extra_config") or {}), SETTING: setting},
        "worker_extension_cls": EXTENSION,
    }


def arguments_for_machine(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an engine needs to start on a CPU where the user's arguments leave it open.

    vLLM wants nine tenths of the memory unless it is told how much its cache may have.
    """
    from vllm.platforms import current_platform

    told = {"gpu_memory_utilization", "kv_cache_memory_bytes"} & set(given)
    if told or os.environ.get("VLLM_CPU_KVCACHE_SPACE") or not current_platform.is_cpu():
        return {}
    return {"kv_cache_memory_bytes": _CACHE_ON_CPU}


def not_started(name: str, error: Exception) -> InputError:
    """Turn whatever vLLM raised into one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return InputError(
        f"vLLM cannot load {name}",
        found=f"{type(error).__name__}: {' '.join(lines)}" if lines else type(error).__name__,
        hint="what it logged above may say more",
    )
