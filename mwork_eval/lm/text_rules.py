"""What the model is given of a text: its tokens, what it begins with, and how much of it is cut off."""

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from lm_eval import utils
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs

from mwork_eval.errors import InputError
from mwork_eval.lm.chat import Chat

log = logging.getLogger(__name__)

_TEXTS_REMEMBERED = 100_000
_PROBE = "a"

Encoded = tuple[list[int], list[int]]
"""Tokens of a context, at least one, and of what is scored after it."""


class TextRules(TemplateLM):  # type: ignore[misc]
    """Texts that begin once, options that always have a token, and a count of prompts that are cut.

    Mixed into a model of lm-eval, before its class: its tokenizer, context and special tokens are used.

    Attributes:
        double_bos: Whether rolling log-likelihoods are those of lm-eval's own class, which puts a token that begins
            texts before texts that begin with it already and counts the second one as text (lm-eval#3333).
    """

    double_bos = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take every argument of the model."""
        super().__init__(*args, **kwargs)
        self._encoded: dict[tuple[str, bool | None, int | None], tuple[int, ...]] = {}
        self._said: set[str] = set()
        self._chat: Chat | None = None
        self._truncated: dict[str, set[int]] = {}

    @property
    def reads(self) -> int:
        """Tokens the model takes of a context with its continuation, of which it reads all but the last one."""
        return int(self.max_length)

    def encode_plainly(self, string: str, special: bool, left_truncate_len: int | None, **kwargs: Any) -> list[int]:
        """Return the tokens of a text, between the special ones of the tokenizer if they are asked for."""
        tokens: list[int] = self.tokenizer.encode(string, add_special_tokens=special)
        return tokens[-(left_truncate_len or 0) :]

    @cached_property
    def start(self) -> tuple[int, ...]:
        """The tokens before a text that has no context; none if the tokenizer knows none.

        What the tokenizer itself begins texts with, or else `prefix_token_id`, which always wins where it is given.
        """
        own = tuple(self.adds[0])
        if self.custom_prefix_token_id is None and own and self.add_bos_token is not False:
            return own
        return () if self.prefix_token_id is None else (self.prefix_token_id,)

    @cached_property
    def adds(self) -> tuple[list[int], list[int]]:
        """The tokens that the tokenizer itself puts before texts and behind them."""
        whole, text = self.tokenizer.encode(_PROBE), self.tokenizer.encode(_PROBE, add_special_tokens=False)
        places = range(len(whole) - len(text) + 1)
        start = next((n for n in places if whole[n : n + len(text)] == text), 0)
        return list(whole[:start]), list(whole[start + len(text) :])

    @cached_property
    def _start_texts(self) -> tuple[str, ...]:
        """What a text begins with that brings its beginning itself, as many chat templates make it."""
        own = self.tokenizer.decode(self.adds[0]) if self.adds[0] else ""
        return tuple(text for text in {own, self.tokenizer.bos_token or ""} if text)

    def _needed_start(self, what: str) -> list[int]:
        if not self.start:
            raise InputError(
                f"{what} needs a token to begin with",
                found="a tokenizer without BOS and EOS",
                hint="choose other tasks, or give lm_eval the model argument prefix_token_id=N",
            )
        return list(self.start)

    def _without_start(self, tokens: list[int]) -> list[int]:
        """Return the tokens of a text without the special tokens it begins with, if they are `start`."""
        size = len(self.start)
        begins = tuple(tokens[:size]) == self.start and set(self.start) <= set(self.tokenizer.all_special_ids)
        return tokens[size:] if begins else tokens

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **kwargs: Any,
    ) -> list[int]:
        """Encode a text as lm-eval does, but never with a second beginning, and as one that may go on.

        Texts met before, as in every cell of a matrix, are not encoded again.
        """
        key = (string, add_special_tokens, left_truncate_len)
        if kwargs or key not in self._encoded:
            special = add_special_tokens
            if special is None:
                # `hf` asks whether the text begins with `prefix_token_id`, which need not be the tokenizer's BOS.
                special = self.add_bos_token is not False and not string.startswith(self._start_texts)
            tokens = self.encode_plainly(string, special, left_truncate_len, **kwargs)
            if special and self.adds[1] and self.backend == "causal":
                tokens = tokens[: -len(self.adds[1])]
            if kwargs:
                return list(tokens)
            if len(self._encoded) >= _TEXTS_REMEMBERED:
                self._encoded.clear()
            self._encoded[key] = tuple(tokens)
        return list(self._encoded[key])

    def _encode_pair(self, context: str, continuation: str) -> Encoded:
        """Encode a context and what follows; what follows always has a token.

        Where a token spans the end of the context and the whole continuation, `hf` leaves it none and stops
        (lm-eval#1297); here the continuation is then encoded by itself.

        Raises:
            InputError: If it has no token even then.
        """
        if context == "":
            before = self._needed_start("an answer without a prompt")
            after = self._without_start(self.tok_encode(continuation, add_special_tokens=False))
        else:
            before, after = super()._encode_pair(context, continuation)
            if self.backend == "causal":
                before = before or self._needed_start("an answer to a prompt of blanks")
                blanks = context[len(context.rstrip()) :]
                after = after or self.tok_encode(blanks + continuation, add_special_tokens=False)
        if not after:
            raise InputError(
                "an answer to choose from has no token", found=repr(continuation), expected="a text", hint=context[-60:]
            )
        return before, after

    def _encode_choices(self, requests: Sequence[Any]) -> list[tuple[tuple[str, str], list[int], list[int]]]:
        """Encode contexts with their continuations."""
        return [(request.args, *self._encode_pair(*request.args)) for request in requests]

    def _encode_prompt(self, text: str) -> tuple[int, ...]:
        return tuple(self.tok_encode(text) or self._needed_start("an empty prompt"))

    def _rolling_windows(self, text: str) -> list[Encoded]:
        """Cut a text to what the model takes; its tokens are scored once each, the first ones after `start` alone."""
        if self.double_bos:
            start, tokens = [self.prefix_token_id or self._needed_start("a whole text")[-1]], self.tok_encode(text)
        else:
            start = self._needed_start("a whole text")
            tokens = self._without_start(self.tok_encode(text, add_special_tokens=False))
            if self.adds[0] and self.add_bos_token is not False:
                self._say_once("whole texts are scored after one BOS; double_bos=True gives the number of lm-eval's hf")
        room = self.reads - len(start) + 1
        found = utils.get_rolling_token_windows(tokens, prefix_token=start[-1], max_seq_len=room, context_len=1)
        windows = [utils.make_disjoint_window(window) for window in found]
        return [([*start[:-1], *before], after) for before, after in windows[:1]] + windows[1:]

    @property
    def truncated(self) -> dict[str, set[int]]:
        """Per task, the documents whose prompts lost their beginning, for want of room, since `forget_truncated`."""
        return self._truncated

    def forget_truncated(self) -> None:
        """Begin to count anew."""
        self._truncated = {}

    def note_truncated(self, request_type: str, requests: Sequence[Any]) -> None:
        """Count requests that would lose their beginning, although their answers are known.

        Args:
            request_type: lm-eval's type; whole texts lose nothing.
            requests: The requests.
        """
        if request_type == "loglikelihood":
            self._note_truncated(requests, self._lengths(self._encode_choices(requests)), self.reads)
        for request in requests if request_type == "generate_until" else ():
            length, longest = len(self._encode_prompt(request.args[0])), self._longest_answer(request.args[1])
            self._note_truncated([request], [length], self.max_length - longest)

    @staticmethod
    def _lengths(encoded: Sequence[tuple[Any, list[int], list[int]]]) -> list[int]:
        """Return how many tokens the model reads for each choice: all but the last one."""
        return [len(before) + len(after) - 1 for _, before, after in encoded]

    def _note_truncated(self, requests: Sequence[Any], lengths: Sequence[int], room: int) -> int:
        cut = [request for request, length in zip(requests, lengths, strict=True) if length > room]
        for request in cut if self.backend == "causal" else ():
            self._truncated.setdefault(str(request.task_name), set()).add(request.doc_id)
        return len(cut)

    def _tell_of_truncated(self, requests: Sequence[Any], lengths: Sequence[int], room: int) -> None:
        count = self._note_truncated(requests, lengths, room)
        if count and self.backend == "causal":
            log.warning("%d of %d requests lose their beginning: longer than %d tokens", count, len(requests), room)

    def _longest_answer(self, arguments: dict[str, Any]) -> int:
        return int(normalize_gen_kwargs(arguments, self.max_gen_toks)["max_gen_toks"])

    def check_tasks(self, tasks: Iterable[Any]) -> None:
        """Refuse tasks this model cannot do, before any is begun.

        Args:
            tasks: lm-eval's task objects; groups, which are dictionaries of them, are looked into.

        Raises:
            InputError: If answers may be longer than the model's context, or whole texts cannot begin.
        """
        for task in tasks:
            if isinstance(task, dict):
                self.check_tasks(task.values())
            elif getattr(task, "OUTPUT_TYPE", None) == "generate_until" and self.backend == "causal":
                self._check_room(str(task.config.task), self._longest_answer(task.config.generation_kwargs or {}))
            elif getattr(task, "OUTPUT_TYPE", None) == "loglikelihood_rolling" and self.backend == "causal":
                self._needed_start(f"{task.config.task}, which scores whole texts,")

    def _check_room(self, name: str, longest: int) -> None:
        if longest >= self.max_length:
            raise InputError(
                f"the model has no room for the answers of {name}",
                found=f"a context of {self.max_length} tokens for {longest} tokens of answer alone",
                expected="room for a prompt as well",
                hint="leave the task out, or ask for shorter answers with max_gen_toks=N among `gen_kwargs`",
            )

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return a chat template of the tokenizer, and render by it from now on: lm-eval takes no notice of a name.

        Args:
            chat_template: True for the tokenizer's own, the name of one of several, or False for none.

        Raises:
            InputError: If the tokenizer has it not.
        """
        self._chat = Chat.of(self.tokenizer, chat_template, self.chat_template_args) if chat_template else None
        return None if self._chat is None else self._chat.text

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Render messages by the tokenizer's chat template.

        Raises:
            InputError: If it has none, or it cannot render them.
        """
        chat = self._chat or Chat.of(self.tokenizer, True, self.chat_template_args)
        return chat.render(chat_history, add_generation_prompt)

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning("%s", message)
