"""What results say of how the model was asked, and the words that tell one way from another."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from mwork_eval.digests import canonical_json
from mwork_eval.errors import shortened
from mwork_eval.files.json_values import FileValue

_GENERATES = "generate_until"
_WHOLE_TEXTS = "loglikelihood_rolling"
_SHOWN = 8
"""Hexadecimal characters of a digest in words."""
_LONGEST = 60
_ANY_TEMPLATE = "of the model"
_SEPARATOR = "; "


class PromptingRecord(FileValue):
    """How a model was asked, beyond what task files say.

    Attributes:
        chat_template: The chat template that rendered the prompts; None if they are plain texts.
        chat_template_sha: SHA-256 of it, where it is all that is told.
        template_name: Its name, of a tokenizer that has several.
        system_instruction: What stood before the task's own description.
        num_fewshot: Examples before each question; None for the task's own number.
        fewshot_as_multiturn: Whether they were turns of their own.
        gen_kwargs: Arguments of generation that were given.
    """

    chat_template: str | None = None
    chat_template_sha: str | None = None
    template_name: str | None = None
    system_instruction: str | None = None
    num_fewshot: int | None = None
    fewshot_as_multiturn: bool = False
    gen_kwargs: dict[str, Any] = Field(default_factory=dict)

    @property
    def template_digest(self) -> str | None:
        """SHA-256 of the template; None without one."""
        return self.chat_template_sha if self.chat_template is None else _sha(self.chat_template)

    def to_values(self) -> dict[str, Any]:
        """Return it as JSON values, without what is not set."""
        values: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return values

    def renders(self, output_type: object) -> bool:
        """Return whether a chat template rendered the prompts of a task.

        Args:
            output_type: The task's `output_type`, as far as it is known.
        """
        return output_type != _WHOLE_TEXTS and self.template_digest is not None

    def with_any_template(self) -> "PromptingRecord":
        """Return it with a mark in the place of its chat template: equal where models differ in their own."""
        update = {"chat_template": None, "chat_template_sha": _ANY_TEMPLATE, "template_name": None}
        return self if self.template_digest is None else self.model_copy(update=update)

    def parts(self, output_type: object, shots: object) -> list[str]:
        """Return, in words, what of it tells scores of a task from others.

        Whole texts have no prompt, and only generation has its arguments. The number of examples is not among it: the
        prompts tell it.

        Args:
            output_type: The task's `output_type`, as far as it is known.
            shots: Its number of examples, likewise.
        """
        return [] if output_type == _WHOLE_TEXTS else list(self._parts(output_type, shots))

    def in_effect(self, output_type: object, own_shots: int | None) -> tuple[Any, ...]:
        """Return what of it reaches the requests of a task; two that are equal there ask it in one way.

        Args:
            output_type: The task's `output_type`.
            own_shots: The number of examples of its file, None if that says none; one that says 0 gets none.
        """
        if output_type == _WHOLE_TEXTS:
            return ()
        shots = (own_shots or 0) if self.num_fewshot is None or own_shots == 0 else self.num_fewshot
        template = self.template_digest
        as_turns = self.fewshot_as_multiturn if shots and template is not None else None
        generation = canonical_json(self.gen_kwargs) if self.gen_kwargs and output_type == _GENERATES else None
        return template, self.system_instruction, shots, as_turns, generation

    def _parts(self, output_type: object, shots: object) -> Iterator[str]:
        if (digest := self.template_digest) is not None:
            yield f"chat template {digest[:_SHOWN]}"
        if self.system_instruction:
            yield f"system instruction {_quoted(self.system_instruction)}"
        if digest is not None and shots and not self.fewshot_as_multiturn:
            yield "examples in one turn"
        if self.gen_kwargs and output_type in (_GENERATES, None):
            yield f"generation {_arguments(self.gen_kwargs)}"

    def in_words(self) -> str:
        """Return all of it in words, for a reader."""
        name = "" if self.template_name is None else f" {self.template_name!r}"
        digest = self.template_digest
        parts = ["plain texts" if digest is None else f"the chat template{name} of the tokenizer ({digest[:_SHOWN]})"]
        if self.system_instruction:
            parts.append(f"system instruction {_quoted(self.system_instruction)}")
        if self.num_fewshot is not None:
            how = (
                ""
                if digest is None or not self.num_fewshot
                else (", as turns" if self.fewshot_as_multiturn else ", in one turn")
            )
            parts.append(f"{self.num_fewshot} examples{how}")
        if self.gen_kwargs:
            parts.append(f"generation {_arguments(self.gen_kwargs)}")
        return _SEPARATOR.join(parts)


def joined(version: str, parts: list[str]) -> str:
    """Return a definition with what tells its prompting."""
    return _SEPARATOR.join([version, *parts])


def changed_prompting(old: str | None, new: str | None) -> tuple[str, str] | None:
    """Say what differs between the promptings of two definitions: that of the old one, and that of the new one.

    None if they differ in anything else, or not at all.
    """
    if old is None or new is None:
        return None
    (version, *before), (other, *after) = old.split(_SEPARATOR), new.split(_SEPARATOR)
    if version != other or before == after:
        return None
    kinds = dict.fromkeys(_kind(part) for part in (*before, *after))
    sides: tuple[list[str], list[str]] = ([], [])
    for kind in kinds:
        was, now = (next((part for part in side if _kind(part) == kind), f"no {kind}") for side in (before, after))
        if was != now:
            sides[0].append(was)
            sides[1].append(now)
    return ", ".join(sides[0]), ", ".join(sides[1])


def shots_in_words(shots: int) -> str:
    """Return a number of examples in words."""
    return "no examples" if not shots else f"{shots} example{'s' if shots > 1 else ''}"


def _kind(part: str) -> str:
    return next(
        k
        for k in ("chat template", "system instruction", "examples in one turn", "generation", part)
        if part.startswith(k)
    )


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _quoted(text: str) -> str:
    shown = shortened(text, _LONGEST).replace(";", ",")
    return f"'{shown}' ({_sha(text)[:_SHOWN]})"


def _arguments(given: Mapping[str, Any]) -> str:
    values = (f"{name}={canonical_json(value)}" for name, value in sorted(given.items()))
    return ", ".join(values).replace(";", ",")
