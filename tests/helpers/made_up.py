"""A causal language model that nobody has: its names are in no vocabulary, and it fuses in an order of its own."""

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRMSNorm, apply_rotary_pos_emb, eager_attention_forward

HEADS, GROUPS, WIDTH = 4, 2, 8


class MadeUpConfig(PreTrainedConfig):
    """Its configuration."""

    model_type = "made_up"

    def __init__(self, vocab_size: int = 128, hidden_size: int = 24, num_hidden_layers: int = 3, **others: Any) -> None:
        super().__init__(**others)
        self.vocab_size, self.hidden_size, self.num_hidden_layers = vocab_size, hidden_size, num_hidden_layers
        self.num_attention_heads = HEADS


class Gaze(nn.Module):
    """Attention whose one matrix has, per group, its value, then its key, then its two queries."""

    def __init__(self, config: MadeUpConfig) -> None:
        super().__init__()
        self.config, self.is_causal, self.training_dropout = config, True, 0.0
        self.num_key_value_groups = HEADS // GROUPS
        self.everything = nn.Linear(config.hidden_size, GROUPS * (2 + HEADS // GROUPS) * WIDTH)
        self.back = nn.Linear(HEADS * WIDTH, config.hidden_size, bias=False)
        self.tame = LlamaRMSNorm(WIDTH)

    def forward(self, states: torch.Tensor, turned: Any, attention_mask: Any, **others: Any) -> torch.Tensor:
        """Return the attention's output."""
        rows, tokens, _ = states.shape
        parts = self.mixed(self.everything(states)).view(rows, tokens, GROUPS, 2 + HEADS // GROUPS, WIDTH)
        value, key, query = parts[..., 0, :], parts[..., 1, :], parts[..., 2:, :].flatten(2, 3)
        query, key = self.tame(query).transpose(1, 2), self.tame(key).transpose(1, 2)
        query, key = apply_rotary_pos_emb(query, key, *turned)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        heads, _ = attend(
            self, query, key, value.transpose(1, 2), attention_mask=attention_mask, scaling=WIDTH**-0.5, **others
        )
        return self.back(heads.reshape(rows, tokens, -1))

    def mixed(self, parts: torch.Tensor) -> torch.Tensor:
        """Return what values, keys and queries are made of."""
        return parts


class Blurred(Gaze):
    """Attention in which no channel of the matrix alone is a channel of a value, key or query."""

    def mixed(self, parts: torch.Tensor) -> torch.Tensor:
        """Return every channel plus its neighbour."""
        return parts + parts.roll(1, -1)


class Think(nn.Module):
    """A feed-forward whose gate and up are one matrix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Linear(width, 80, bias=False)
        self.narrow = nn.Linear(40, width, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return its output."""
        gate, up = self.spread(states).chunk(2, -1)
        return self.narrow(nn.functional.silu(gate) * up)


class Step(nn.Module):
    """A layer."""

    def __init__(self, config: MadeUpConfig) -> None:
        super().__init__()
        self.calm, self.gaze = LlamaRMSNorm(config.hidden_size), Gaze(config)
        self.quiet, self.think = LlamaRMSNorm(config.hidden_size), Think(config.hidden_size)

    def forward(self, states: torch.Tensor, turned: Any, attention_mask: Any, **others: Any) -> torch.Tensor:
        """Return the layer's states."""
        states = states + self.gaze(self.calm(states), turned, attention_mask, **others)
        return states + self.think(self.quiet(states))


class MadeUpBase(PreTrainedModel):
    """What its models share."""

    config_class = MadeUpConfig
    base_model_prefix = "model"
    _supports_sdpa = True
    _supports_attention_backend = True


class MadeUpModel(MadeUpBase):
    """The decoder."""

    def __init__(self, config: MadeUpConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.steps = nn.ModuleList(Step(config) for _ in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embeddings."""
        return self.words

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, position_ids: Any = None, **others: Any
    ) -> BaseModelOutputWithPast:
        """Return the hidden states."""
        others.pop("use_cache", None), others.pop("past_key_values", None), others.pop("cache_position", None)
        states = self.words(input_ids)
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1])[None]
        frequency = 100.0 ** -(torch.arange(0, WIDTH, 2) / WIDTH)
        angle = torch.cat([position_ids[..., None] * frequency] * 2, -1)
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=states,
            attention_mask=attention_mask,
            past_key_values=None,
            position_ids=position_ids,
        )
        for step in self.steps:
            states = step(states, (angle.cos(), angle.sin()), mask)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(states))


class MadeUpForCausalLM(MadeUpBase, GenerationMixin):
    """The language model."""

    def __init__(self, config: MadeUpConfig) -> None:
        super().__init__(config)
        self.model = MadeUpModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(self, input_ids: Any = None, **others: Any) -> CausalLMOutputWithPast:
        """Return the logits."""
        return CausalLMOutputWithPast(logits=self.lm_head(self.model(input_ids, **others).last_hidden_state))


def make_made_up(attention: type[Gaze] = Gaze) -> MadeUpForCausalLM:
    """Return a model with random weights."""
    torch.manual_seed(0)
    model = MadeUpForCausalLM(MadeUpConfig()).eval()
    for step in model.model.steps:
        step.gaze = attention(model.config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.3)
    return model


AutoConfig.register("made_up", MadeUpConfig)
AutoModelForCausalLM.register(MadeUpConfig, MadeUpForCausalLM)
