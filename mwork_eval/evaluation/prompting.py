"""How models are asked: chat template, system instruction, examples and arguments of generation, in lm-eval's words."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mwork_eval.digests import canonical_json, digest_of
from mwork_eval.errors import InputError
from mwork_eval.lm.chat import Chat
from mwork_eval.results.prompting_record import PromptingRecord

log = logging.getLogger(__name__)

_GENERATES = "generate_until"
_WHOLE_TEXTS = "loglikelihood_rolling"


@dataclass(frozen=True)
class Prompting:
    """How models are asked; the default is what a task file says, as plain text.

    Attributes:
        apply_chat_template: Whether the tokenizer's chat template renders prompts; or the name of one of several.
        system_instruction: What stands before the task's own description.
        num_fewshot: Examples before each question; None for the task's own number.
        fewshot_as_multiturn: Whether examples are turns of their own, with a chat template; None for yes.
        gen_kwargs: Arguments of generation; each wins over the task's own.
        chat: The template itself, once the tokenizer is known.
    """

    apply_chat_template: bool | str = False
    system_instruction: str | None = None
    num_fewshot: int | None = None
    fewshot_as_multiturn: bool | None = None
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    chat: Chat | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check that the parts go together.

        Raises:
            InputError: If examples are to be turns without a chat template.
        """
        if self.fewshot_as_multiturn and not self.apply_chat_template:
            raise InputError("`fewshot_as_multiturn` needs turns", found="no `apply_chat_template`", expected="both")

    @property
    def is_default(self) -> bool:
        """Whether nothing is given."""
        return self == Prompting()

    @property
    def as_turns(self) -> bool:
        """Whether examples are turns of their own."""
        return bool(self.apply_chat_template) and self.fewshot_as_multiturn is not False

    def with_tokenizer(self, tokenizer: Any, arguments: Mapping[str, Any] | None = None) -> "Prompting":
        """Return the same with the chat template of a tokenizer, if one is asked for.

        Args:
            tokenizer: The tokenizer.
            arguments: What is given to the template besides the messages.

        Raises:
            InputError: If the tokenizer has no such template.
        """
        if not self.apply_chat_template:
            return self
        return replace(self, chat=Chat.of(tokenizer, self.apply_chat_template, arguments))

    def configure(self, task: Any) -> None:
        """Set a task's number of examples and arguments of generation, as `lm_eval.simple_evaluate` does.

        A task whose file says that it takes no examples takes none.
        """
        own = task.get_config("num_fewshot")
        if self.num_fewshot is None or own == 0:
            if self.num_fewshot:
                log.warning("%s takes no examples by its own rules, and gets none", task.get_config("task"))
            task.set_config(key="num_fewshot", value=own or 0)
        else:
            task.set_config(key="num_fewshot", value=self.num_fewshot)
        if self.gen_kwargs and task.get_config("output_type") == _GENERATES:
            # A new mapping: the task's own may be that of other tasks, too.
            own_arguments = task.get_config("generation_kwargs") or {}
            task.set_config(key="generation_kwargs", value={**own_arguments, **self.gen_kwargs})

    def building(self) -> dict[str, Any]:
        """Return what a task's `build_all_requests` takes of it.

        Raises:
            InputError: If the tokenizer is not known yet.
        """
        if self.apply_chat_template and self.chat is None:
            raise InputError("a chat template needs a tokenizer", found="none", expected="a model's")
        chat = self.chat
        return {
            "system_instruction": self.system_instruction,
            "apply_chat_template": chat is not None,
            "fewshot_as_multiturn": self.as_turns,
            "chat_template": None if chat is None else chat.render,
            "tokenizer_name": "" if chat is None else chat.tokenizer_name,
        }

    def record(self) -> PromptingRecord | None:
        """Return what files say of it; None if nothing is given."""
        if self.is_default:
            return None
        return PromptingRecord(
            chat_template=None if self.chat is None else self.chat.text,
            template_name=None if self.chat is None else self.chat.name,
            system_instruction=self.system_instruction,
            num_fewshot=self.num_fewshot,
            fewshot_as_multiturn=self.as_turns,
            gen_kwargs=dict(self.gen_kwargs),
        )

    def digest_for(self, task: Any, own_shots: int | None) -> str | None:
        """Return a digest of what changes a task's requests; None if nothing does.

        Whole texts have no prompt, and only generation has its arguments.

        Args:
            task: lm-eval's task, configured.
            own_shots: The number of examples of its file.
        """
        kind = task.get_config("output_type")
        if kind == _WHOLE_TEXTS:
            return None
        shots = task.get_config("num_fewshot") or 0
        parts: dict[str, Any] = {}
        if self.chat is not None:
            parts["chat_template"] = self.chat.digest
            parts["chat_template_args"] = canonical_json(dict(self.chat.arguments))
            if shots:
                parts["fewshot_as_multiturn"] = self.as_turns
        if self.system_instruction is not None:
            parts["system_instruction"] = self.system_instruction
        if shots != (own_shots or 0):
            parts["num_fewshot"] = shots
        if self.gen_kwargs and kind == _GENERATES:
            parts["gen_kwargs"] = dict(self.gen_kwargs)
        return digest_of(parts) if parts else None
