"""Chat templates: what a tokenizer has, and messages rendered as lm-eval's `hf` renders them."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError

from mwork_eval.errors import InputError

log = logging.getLogger(__name__)

_DEFAULT = "default"


@dataclass(frozen=True)
class Chat:
    """A chat template of a tokenizer.

    Attributes:
        tokenizer: The tokenizer.
        name: Name of the template, of a tokenizer that has several; None for its only one.
        text: The template.
        arguments: What is given to it besides the messages.
    """

    tokenizer: Any
    name: str | None
    text: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    _said: list[str] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def of(cls, tokenizer: Any, asked: bool | str, arguments: Mapping[str, Any] | None = None) -> "Chat":
        """Return the template that is asked for.

        Args:
            tokenizer: The tokenizer.
            asked: True for its own, or its default one of several; or the name of one of several.
            arguments: What is given to the template besides the messages.

        Raises:
            InputError: If it has none, or none of that name.
        """
        has = getattr(tokenizer, "chat_template", None)
        if not has:
            raise InputError(
                "the tokenizer has no chat template",
                found=getattr(tokenizer, "name_or_path", "") or "a tokenizer without one",
                hint="leave `apply_chat_template` out, or use a model that was tuned to chat",
            )
        templates = has if isinstance(has, Mapping) else {}
        if isinstance(asked, str) and asked not in templates:
            names = " ".join(sorted(templates))
            raise InputError(
                "the tokenizer has no chat template of this name",
                found=asked,
                expected=f"one of {names}" if names else "`apply_chat_template` without a name: it has one only",
            )
        if not templates:
            return cls(tokenizer, None, str(has), dict(arguments or {}))
        name = asked if isinstance(asked, str) else _DEFAULT
        if name not in templates:
            raise InputError(
                "the tokenizer has several chat templates and no default",
                found=" ".join(sorted(templates)),
                expected="`apply_chat_template` with one of these names",
            )
        return cls(tokenizer, name, str(templates[name]), dict(arguments or {}))

    @property
    def digest(self) -> str:
        """SHA-256 of the template, as lm-eval's results have it."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    @property
    def tokenizer_name(self) -> str:
        """What lm-eval's `hf` calls the tokenizer."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def render(self, chat_history: Sequence[Mapping[str, Any]], add_generation_prompt: bool = True) -> str:
        """Render messages; a template that knows no system role gets them without, as in `hf`.

        Args:
            chat_history: The messages, each with `role` and `content`.
            add_generation_prompt: Whether the model's turn begins after them; else the last message goes on.

        Raises:
            InputError: If the template cannot render them.
        """
        try:
            try:
                return self._apply(chat_history, add_generation_prompt)
            except TemplateError:
                if not self._said:
                    self._said.append("once")
                    log.warning("the chat template takes no system message: prompts go without it")
                others = [message for message in chat_history if message["role"] != "system"]
                return self._apply(others, add_generation_prompt)
        except (TemplateError, ValueError, TypeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError("the chat template cannot render the prompt", found=reason) from error

    def _apply(self, messages: Sequence[Mapping[str, Any]], add_generation_prompt: bool) -> str:
        named = {} if self.name is None else {"chat_template": self.text}
        return str(
            self.tokenizer.apply_chat_template(
                list(messages),
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
                **named,
                **self.arguments,
            )
        )
