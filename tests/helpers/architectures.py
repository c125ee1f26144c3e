"""A tiny random model of every decoder architecture that transformers has, made from its configuration class.

Sizes are given by the names of the fields: most architectures call the same thing by one of a few names. Where a type
has layers of several kinds (sliding or full attention, dense or with experts, attention or a recurrence), the model
has each kind at least once.
"""

import dataclasses
import os
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from helpers.architecture_fields import FIELDS, OWN, VARIANTS
from helpers.no_decoders import NO_DECODERS

VOCABULARY = FIELDS["vocab_size"]
TOKENS = 24
_PER_LAYER = ("layer_types", "mlp_layer_types", "layers_block_type")


def types() -> list[str]:
    """Return the model types that are decoders, in alphabetical order."""
    return sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - NO_DECODERS.keys())


def members() -> list[str]:
    """Return the types and their variants (`olmo:clipped`), each a model that `build` makes."""
    known = types()
    return sorted([*known, *(member for member in VARIANTS if type_of(member) in known)])


def type_of(member: str) -> str:
    """Return the model type of a member."""
    return member.partition(":")[0]


def config_of(member: str) -> transformers.PreTrainedConfig:
    """Return the configuration of a member."""
    kind = type_of(member)
    return _config(CONFIG_MAPPING[kind], OWN.get(kind, {}) | VARIANTS.get(member, {}))


def _config(cls: Any, own: dict[str, Any]) -> transformers.PreTrainedConfig:
    plain = cls()
    fields = {field.name for field in dataclasses.fields(cls)}
    given = {name: value for name, value in FIELDS.items() if name in fields | vars(plain).keys()}
    kinds = {name: own.get(name) or _kinds(getattr(plain, name, None)) for name in _PER_LAYER if name in fields}
    layers = own.get("num_hidden_layers", max(2, *map(len, kinds.values()), 0))
    given |= {name: (present * layers)[:layers] for name, present in kinds.items() if present}
    given |= {name: layers for name in ("num_hidden_layers", "n_layer", "n_layers", "num_layers") if name in fields}
    given |= {name: value for name, value in own.items() if name not in kinds}
    if "text_config" in fields:
        text = type(plain.text_config)
        given["text_config"] = _config(text, OWN.get(text.model_type, {}) | own.get("text_config", {})).to_dict()
    return cls(**given)


def _kinds(value: Any) -> list[str]:
    return list(dict.fromkeys(value)) if isinstance(value, list | tuple) else []


def build(member: str, seed: int = 0) -> transformers.PreTrainedModel:
    """Build the tiny model of a member: float32, eager attention and eager experts, in evaluation.

    Weights are large enough for attention that is far from uniform. Biases, norms, sinks and the corrections of
    expert scores get random values, too, so that none is trivially nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = transformers.AutoModelForCausalLM.from_config(
            config_of(member), attn_implementation="eager", experts_implementation="eager", dtype=torch.float32
        )
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() > 1 and not name.endswith(("A_log", "bias")):
                    parameter.normal_(std=0.3)
                else:
                    parameter.add_(0.3 * torch.randn_like(parameter))
            for name, buffer in model.named_buffers():
                if buffer.is_floating_point() and name.endswith(("correction_bias", "expert_bias", "balancing_bias")):
                    buffer.add_(0.3 * torch.randn_like(buffer))
    return model.eval()


def token_ids(seed: int = 0, length: int = TOKENS) -> list[int]:
    """Return random tokens, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, VOCABULARY, (length,), generator=generator).tolist()
