"""A tiny model whose tokenizer has a chat template, or several."""

from pathlib import Path

import transformers
from conftest import make_model, make_tokenizer

PLAIN = (
    "{{ bos_token }}{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}"
    "{% if not loop.last or add_generation_prompt %}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
STRICT = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "[{{ message['role'] }}] {{ message['content'] }}{% if tone %} ({{ tone }}){% endif %}\n{% endfor %}"
)


def chat_tokenizer(templates: str | dict[str, str] = PLAIN) -> transformers.PreTrainedTokenizerFast:
    """A tokenizer with a chat template, or with several by name."""
    tokenizer = make_tokenizer()
    tokenizer.chat_template = templates
    return tokenizer


def save_chat_model(folder: Path, templates: str | dict[str, str] = PLAIN, longest: int = 4096) -> Path:
    """Write a tiny Llama with room for long prompts, and its tokenizer."""
    model = make_model("llama")
    model.config.max_position_embeddings = longest
    model.save_pretrained(folder)
    chat_tokenizer(templates).save_pretrained(folder)
    return folder
