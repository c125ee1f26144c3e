"""lm-eval's `hf` made faster: the same scores from shared beginnings, few logits, and rows that leave when done."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from tqdm import tqdm  # type: ignore[import-untyped]

from mwork_eval.errors import InputError
from mwork_eval.inference.budget import Budget
from mwork_eval.inference.forward import Forward
from mwork_eval.inference.generation import Stop, generate_greedily
from mwork_eval.inference.loglikelihood import Continuation, score_continuations
from mwork_eval.inference.proof import proven_forward
from mwork_eval.inference.rotary import Rotary
from mwork_eval.lm.greedy import what_is_not_greedy
from mwork_eval.lm.texts import TextsHF
from mwork_eval.models.placement import computing_device

log = logging.getLogger(__name__)

_ATTENTION = ("sdpa", "eager")
_ANSWERS_REMEMBERED = 100_000


class FastHF(TextsHF):
    """`hf` with the same answers for less time and memory.

    Log-likelihoods and greedy generation go through `mwork_eval.inference`. Whatever that cannot honour (sampling,
    beams, encoder-decoders, families it does not know, ...) goes `hf`'s own way, which is logged once per reason.
    Rows so long that rotary embeddings depend on their length go it one at a time: in a batch the longest row would
    decide for all.

    Attributes:
        show_progress: Whether bars are shown.
        fast: Whether to be faster than `hf` at all.
        memory: Bytes a forward pass may hold beside the weights, or None for a default by device.
        make_bar: What makes them: takes ``total``, ``desc`` and ``disable`` as tqdm does.
    """

    show_progress = True
    make_bar: Callable[..., Any] = staticmethod(tqdm)
    fast = True
    memory: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take every argument of `hf`."""
        super().__init__(*args, **kwargs)
        self._drafts: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._fast_forward: Forward | None = None
        self._refused: Any = None

    def forget(self) -> None:
        """Forget texts encoded and answers given before; they only save time."""
        self._encoded.clear()
        self._drafts.clear()

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Return log-likelihood and greediness of continuations."""
        if self.enable_thinking:
            return list(super().loglikelihood(requests))  # which refuses it
        encoded = self._encode_choices(requests)
        self._tell_of_truncated(requests, self._lengths(encoded), self.max_length)
        return self._loglikelihood_tokens(encoded, disable_tqdm=disable_tqdm)

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of whole texts, in natural logarithms."""
        hidden = disable_tqdm or not self.show_progress
        if self.backend != "causal":
            return list(super().loglikelihood_rolling(requests, disable_tqdm=hidden))
        windows: list[tuple[None, list[int], list[int]]] = []
        owners: list[int] = []
        for number, request in enumerate(requests):
            for context, continuation in self._rolling_windows(request.args[0]):
                windows.append((None, context, continuation))
                owners.append(number)
        totals = [0.0] * len(requests)
        answers = self._score_windows(windows, hidden)
        for number, (value, _) in zip(owners, answers, strict=True):
            totals[number] += value
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _score_windows(self, windows: list[Any], hidden: bool) -> list[tuple[float, bool]]:
        if self._forward() is not None:
            return self._loglikelihood_tokens(windows, disable_tqdm=hidden) if windows else []
        # As `hf`: processes that share a model must call it equally often.
        count, asked = len(windows), windows
        if self.world_size > 1:
            most = int(self.all_gather(torch.tensor([count], device=self.device)).max())
            asked = windows + windows[:1] * (most - count)
        size = self._detect_batch_size() if self.batch_size == "auto" else self.batch_size
        parts = [asked[start : start + size] for start in range(0, len(asked), size)]
        answers = [
            answer
            for part in parts
            for answer in self._loglikelihood_tokens(part, disable_tqdm=hidden, override_bs=len(part))
        ]
        return answers[:count]

    def _loglikelihood_tokens(
        self, requests: Sequence[Any], disable_tqdm: bool = False, **options: Any
    ) -> list[tuple[float, bool]]:
        hidden = disable_tqdm or not self.show_progress
        if not requests:
            return []
        sizes = [len(tokens) for _, _, tokens in requests]
        if self.backend == "causal" and not 0 < min(sizes) <= max(sizes) <= self.max_length:
            raise InputError(
                "a continuation is longer than the model takes" if min(sizes) else "a continuation has no token",
                found=f"{max(sizes)} tokens" if min(sizes) else "nothing to score",
                expected=f"1 to {self.max_length} tokens",
            )
        rotary, answers = self._rotary(), [(0.0, False)] * len(requests)
        together, alone = rotary.split([min(self.max_length, length) for length in self._lengths(requests)])
        self._tell_of_rows_alone(alone, rotary)
        for number in alone:
            with rotary.fresh():
                (answers[number],) = super()._loglikelihood_tokens([requests[number]], disable_tqdm=True, override_bs=1)
        some = [requests[number] for number in together]
        with rotary.fresh():
            found = self._loglikelihoods(some, hidden, **options) if some else []
        for number, answer in zip(together, found, strict=True):
            answers[number] = answer
        return answers

    def _loglikelihoods(self, requests: list[Any], hidden: bool, **options: Any) -> list[tuple[float, bool]]:
        """Score requests that may share a batch."""
        if (forward := self._forward()) is None:
            return list(super()._loglikelihood_tokens(requests, disable_tqdm=hidden, **options))
        continuations = [Continuation(tuple(context), tuple(tokens)) for _, context, tokens in requests]
        answers: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        with self._bar("loglikelihood", len(requests), hidden) as bar:
            found = score_continuations(forward, continuations, self._budget(), self.max_length, bar.update)
            for number, value, greedy in found:
                answers[number] = (value, greedy)
                if (key := requests[number][0]) is not None:
                    self.cache_hook.add_partial("loglikelihood", key, answers[number])
        return answers

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Return generated texts, cut at their stop sequences."""
        hidden = disable_tqdm or not self.show_progress
        by_arguments: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            by_arguments.setdefault(json.dumps(request.args[1], sort_keys=True, default=str), []).append(number)
        for numbers in by_arguments.values() if self.backend == "causal" else ():
            first = requests[numbers[0]]
            self._check_room(str(first.task_name), self._longest_answer(first.args[1]))
        answers = [""] * len(requests)
        with self._bar("generate_until", len(requests), hidden) as bar:
            for numbers in by_arguments.values():
                some = [requests[number] for number in numbers]
                for number, answer in zip(numbers, self._generate(some, bar.update), strict=True):
                    answers[number] = answer
        return answers

    def _generate(self, requests: Sequence[Any], advance: Callable[[int], object]) -> list[str]:
        """Generate for requests with equal arguments."""
        arguments = requests[0].args[1]
        options = normalize_gen_kwargs(arguments, self.max_gen_toks)
        until = handle_stop_sequences(
            options.pop("until", None), eos=self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        )
        longest = int(options.pop("max_gen_toks"))
        special = self._special_texts()
        mixed = [text for text in until if text not in special and any(part in text for part in special if part)]
        if mixed:
            self._say("stop sequences that are more than one special token")
        forward = self._forward() if not mixed and self._is_greedy(options) else None
        if self.backend != "causal":
            advance(len(requests))
            return list(super().generate_until(requests, disable_tqdm=True))
        room, rotary = self.max_length - longest, self._rotary()
        whole = [self._encode_prompt(request.args[0]) for request in requests]
        self._tell_of_truncated(requests, [len(prompt) for prompt in whole], room)
        prompts = [prompt[-room:] for prompt in whole]
        together, alone = rotary.split([len(prompt) + longest for prompt in prompts])
        self._tell_of_rows_alone(alone, rotary)
        answers = [""] * len(requests)
        for number in alone:
            with rotary.fresh(), self._one_at_a_time():
                (answers[number],) = super().generate_until([requests[number]], disable_tqdm=True)
            advance(1)
        if forward is None or not together:
            some = [requests[number] for number in together]
            with rotary.fresh():
                texts = super().generate_until(some, disable_tqdm=True) if some else []
            advance(len(some))
            for number, text in zip(together, texts, strict=True):
                answers[number] = text
            return answers
        stop = Stop(self._stop_tokens(until), tuple(until), longest)
        near = [prompts[number] for number in together]
        budget = self._budget(generates=True)
        with rotary.fresh():
            made = generate_greedily(forward, near, stop, self.tok_decode, budget, advance, self._drafts)
            for place, tokens in made:
                number = together[place]
                # The first answer, which in a matrix is the baseline's, resembles those under most masks.
                if len(self._drafts) < _ANSWERS_REMEMBERED:
                    self._drafts.setdefault(prompts[number], tuple(tokens))
                text = postprocess_generated_text(generation=self.tok_decode(tokens), stop=until, think_end_token=None)
                answers[number] = text
                self.cache_hook.add_partial("generate_until", requests[number].args, text)
        return answers

    def _stop_tokens(self, until: Sequence[str]) -> frozenset[int]:
        """Return the ids that end generation: the model's, and stop sequences that are special tokens."""
        special = self._special_texts()
        return frozenset({*self._end_tokens(), *(special[text] for text in until if text in special)})

    def _special_texts(self) -> dict[str, int]:
        """Return the texts of special tokens, which decoding leaves out, and their ids."""
        added = self.tokenizer.added_tokens_decoder.items()
        ids = {*self.tokenizer.all_special_ids, *(token for token, entry in added if entry.special)}
        return {self.tok_decode([token], skip_special_tokens=False): token for token in ids}

    def _rotary(self) -> Rotary:
        # Processes that share one model must call it equally often, so that none can take rows apart.
        return Rotary((), None) if self.backend != "causal" or self._is_fsdp() else Rotary.of(self.model)

    def _is_fsdp(self) -> bool:
        return str(getattr(getattr(self, "accelerator", None), "distributed_type", "")).endswith("FSDP")

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Keep `hf` from trying how large a batch may be, for a single request."""
        size: int | str = self.batch_size
        self.batch_size_per_gpu: int | str = 1
        try:
            yield
        finally:
            self.batch_size_per_gpu = size

    def _tell_of_rows_alone(self, alone: Sequence[int], rotary: Rotary) -> None:
        if alone:
            reach = f"longer than {rotary.reach} tokens, where rotary embeddings depend on the length"
            self._say_once(f"requests {reach}, are computed one at a time")

    def _is_greedy(self, options: dict[str, Any]) -> bool:
        """Say whether generation with these arguments of a task takes the most probable token each time."""
        reason = what_is_not_greedy(options, self.model.generation_config)
        if reason is None and (self.think_end_token is not None or self.truncation):
            reason = "think_end_token or truncation"
        if reason is not None:
            self._say(reason)
        return reason is None

    def _forward(self) -> Forward | None:
        """Return the fast forward pass, or None if this model must go `hf`'s way."""
        model = self.model
        # A mask or a merged adapter may have replaced the model.
        if self._fast_forward is None or self._fast_forward.model is not model:
            if self._refused is model:
                return None
            found = self._obstacle() or proven_forward(
                model,
                tokens=self._budget().tokens,
                longest=self.max_length,
                dtype=self.softmax_dtype or torch.float32,
                autocast=self.mixed_precision_dtype,
            )
            if isinstance(found, Forward):
                self._fast_forward = found
                return found
            self._refused = model
            if self.fast:
                self._say(found)
            return None
        return self._fast_forward

    def _obstacle(self) -> str | None:
        config: Any = self.model.config
        attention = getattr(config, "_attn_implementation", None)
        if not self.fast:
            return "fast=False"
        if self.backend != "causal":
            return "an encoder-decoder"
        if hasattr(self.model, "peft_config"):
            return "a PEFT adapter that is not merged"
        if attention not in _ATTENTION:
            return f"the attention implementation {attention}"
        if self._is_fsdp():
            return "FSDP"
        return None

    def _say(self, reason: str) -> None:
        self._say_once(f"computed as lm-eval's hf does, which is slower, because of {reason}")

    def _budget(self, *, generates: bool = False) -> Budget:
        device = computing_device(self.model.get_input_embeddings())
        return Budget.of(self.model, device, self.memory, generates=generates)

    def _bar(self, what: str, total: int, hidden: bool) -> Any:
        return self.make_bar(total=total, desc=f"Running {what} requests", disable=hidden or self.rank != 0)
