"""What computed results, in words: of one model, different engines give answers that differ a little."""

from collections.abc import Mapping
from typing import Any

_PARALLEL = {
    "tensor_parallel_size": "tensor parallel",
    "pipeline_parallel_size": "pipeline parallel",
    "data_parallel_size": "data parallel",
}


def engine_in_words(engine: Mapping[str, Any]) -> str:
    """Return `vllm 0.32.0, bfloat16, 2 x tensor parallel`; `transformers` for an engine that results say nothing of.

    Args:
        engine: As `MaskableLM.engine` tells it.
    """
    if not engine:
        return "transformers"
    words = [f"{engine.get('name')} {engine.get('version')}", str(engine.get("dtype")).removeprefix("torch.")]
    if (quantised := engine.get("quantization")) is not None:
        words.append(f"quantised ({quantised})")
    words += [f"{engine[name]} x {said}" for name, said in _PARALLEL.items() if engine.get(name, 1) != 1]
    if engine.get("expert_parallel"):
        words.append("expert parallel")
    return ", ".join(words)
