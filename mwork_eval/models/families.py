"""The one table of model families: where each keeps the weight matrices of a layer.

A family whose layers hold seven separate linear projections is one row. Names are dotted paths inside a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_SEPARATE_PROJECTIONS: Mapping[str, str] = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


@dataclass(frozen=True)
class Family:
    """Where a model family keeps its weights.

    Attributes:
        name: Name used in files and messages.
        model_types: The values of `config.model_type` that belong to it.
        attention: Path of the attention module inside a layer.
        projections: Path of each structure's linear module inside a layer.
        layers: Path of the list of layers inside the text decoder.
    """

    name: str
    model_types: tuple[str, ...]
    attention: str = "self_attn"
    projections: Mapping[str, str] = field(default_factory=lambda: _SEPARATE_PROJECTIONS)
    layers: str = "layers"


FAMILIES: tuple[Family, ...] = (
    Family("llama", ("llama",)),
    Family("mistral", ("mistral",)),
    Family("qwen2", ("qwen2",)),
    Family("qwen3", ("qwen3",)),
    Family("gemma2", ("gemma2",)),
    Family("gemma3", ("gemma3_text", "gemma3")),
)


def find_family(model_type: str) -> Family | None:
    """Return the family of a `config.model_type`, or None if it is not supported."""
    return next((family for family in FAMILIES if model_type in family.model_types), None)
