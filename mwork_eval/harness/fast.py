"""lm-eval's `hf` made faster: the same scores from shared beginnings, few logits, and rows that leave when done."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lm_eval import utils
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from tqdm import tqdm  # type: ignore[import-untyped]

from mwork_eval.errors import InputError
from mwork_eval.inference.budget import Budget
from mwork_eval.inference.forward import Forward
from mwork_eval.inference.generation import Stop, generate_greedily
from mwork_eval.inference.loglikelihood import Continuation, score_continuations
from mwork_eval.models.families import find_family
from mwork_eval.models.head import OutputHead
from mwork_eval.models.placement import computing_device

log = logging.getLogger(__name__)

_ATTENTION = ("sdpa", "eager")
_TEXTS_REMEMBERED = 100_000
_GREEDY = {"do_sample": False, "temperature": 0.0}
# What changes the choice of the next token even without sampling, and the values that do not.
_PROCESSORS: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (None, 1.0),
    "encoder_repetition_penalty": (None, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "num_beams": (None, 1),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "guidance_scale": (None, 1.0),
    **dict.fromkeys(
        (
            "bad_words_ids",
            "sequence_bias",
            "suppress_tokens",
            "begin_suppress_tokens",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "exponential_decay_length_penalty",
            "watermarking_config",
        ),
        (None,),
    ),
}


class FastHF(HFLM):  # type: ignore[misc]
    """`hf` with the same answers for less time and memory.

    Log-likelihoods and greedy generation go through `mwork_eval.inference`. Whatever that cannot honour (sampling,
    beams, encoder-decoders, families it does not know, ...) goes `hf`'s own way, which is logged once per reason.

    Attributes:
        show_progress: Whether bars are shown.
        fast: Whether to be faster than `hf` at all.
        memory: Bytes a forward pass may hold beside the weights, or None for a default by device.
    """

    show_progress = True
    fast = True
    memory: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take every argument of `hf`."""
        super().__init__(*args, **kwargs)
        self._encoded: dict[tuple[str, bool | None, int | None], tuple[int, ...]] = {}
        self._drafts: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._said: set[str] = set()
        self._fast_forward: Forward | None = None
        self._refused: Any = None

    def forget(self) -> None:
        """Forget texts encoded and answers given before; they only save time."""
        self._encoded.clear()
        self._drafts.clear()

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **kwargs: Any,
    ) -> list[int]:
        """Encode a text as `hf` does; texts met before, as in every cell of a matrix, are not encoded again."""
        key = (string, add_special_tokens, left_truncate_len)
        if kwargs or key not in self._encoded:
            tokens = super().tok_encode(string, add_special_tokens, left_truncate_len, **kwargs)
            if kwargs:
                return list(tokens)
            if len(self._encoded) >= _TEXTS_REMEMBERED:
                self._encoded.clear()
            self._encoded[key] = tuple(tokens)
        return list(self._encoded[key])

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Return log-likelihood and greediness of continuations."""
        return list(super().loglikelihood(requests, disable_tqdm=disable_tqdm or not self.show_progress))

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of whole texts, in natural logarithms."""
        hidden = disable_tqdm or not self.show_progress
        if self._forward() is None:
            return list(super().loglikelihood_rolling(requests, disable_tqdm=hidden))
        windows: list[tuple[None, list[int], list[int]]] = []
        owners: list[int] = []
        for number, request in enumerate(requests):
            found = utils.get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            for context, continuation in map(utils.make_disjoint_window, found):
                windows.append((None, context, continuation))
                owners.append(number)
        totals = [0.0] * len(requests)
        answers = self._loglikelihood_tokens(windows, disable_tqdm=hidden) if windows else []
        for number, (value, _) in zip(owners, answers, strict=True):
            totals[number] += value
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _loglikelihood_tokens(
        self, requests: Sequence[Any], disable_tqdm: bool = False, **options: Any
    ) -> list[tuple[float, bool]]:
        hidden = disable_tqdm or not self.show_progress
        forward = self._forward()
        if forward is None or not requests:
            return list(super()._loglikelihood_tokens(requests, disable_tqdm=hidden, **options))
        continuations = [Continuation(tuple(context), tuple(tokens)) for _, context, tokens in requests]
        if (most := max(len(one.tokens) for one in continuations)) > self.max_length:
            raise InputError(
                "a continuation is longer than the model takes", found=f"{most} tokens", expected=self.max_length
            )
        cut = sum(len(one.context) + len(one.tokens) > self.max_length + 1 for one in continuations)
        self._tell_of_truncation(cut, len(continuations), self.max_length)
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
        prompts = [self._encode_prompt(request.args[0]) for request in requests]
        if forward is None or not 0 < longest < self.max_length or not all(prompts):
            answers = list(super().generate_until(requests, disable_tqdm=True))
            advance(len(requests))
            return answers
        room = self.max_length - longest
        self._tell_of_truncation(sum(len(prompt) > room for prompt in prompts), len(prompts), room)
        prompts = [prompt[-room:] for prompt in prompts]
        stop = Stop(self._stop_tokens(until), tuple(until), longest)
        answers = [""] * len(requests)
        found = generate_greedily(forward, prompts, stop, self.tok_decode, self._budget(), advance, self._drafts)
        for number, tokens in found:
            # The first answer, which in a matrix is the baseline's, resembles those under most masks.
            if len(self._drafts) < _TEXTS_REMEMBERED:
                self._drafts.setdefault(prompts[number], tuple(tokens))
            text = postprocess_generated_text(generation=self.tok_decode(tokens), stop=until, think_end_token=None)
            answers[number] = text
            self.cache_hook.add_partial("generate_until", requests[number].args, text)
        return answers

    def _stop_tokens(self, until: Sequence[str]) -> frozenset[int]:
        """Return the ids that end generation: the model's, and stop sequences that are special tokens."""
        ids = self.model.generation_config.eos_token_id
        found = {self.eot_token_id, *(ids if isinstance(ids, list) else [ids])}
        special = self._special_texts()
        return frozenset(token for token in (*found, *(special.get(text) for text in until)) if token is not None)

    def _special_texts(self) -> dict[str, int]:
        """Return the texts of special tokens, which decoding leaves out, and their ids."""
        added = self.tokenizer.added_tokens_decoder.items()
        ids = {*self.tokenizer.all_special_ids, *(token for token, entry in added if entry.special)}
        return {self.tok_decode([token], skip_special_tokens=False): token for token in ids}

    def _encode_prompt(self, text: str) -> tuple[int, ...]:
        has_bos = has_bos_prefix(text, self.tokenizer.bos_token)
        return tuple(self.tok_encode(text, add_special_tokens=False if has_bos else None))

    def _tell_of_truncation(self, count: int, total: int, room: int) -> None:
        if count:
            log.warning("%d of %d requests lose their beginning: they are longer than %d tokens", count, total, room)

    def _is_greedy(self, options: dict[str, Any]) -> bool:
        """Say whether generation with these arguments of a task takes the most probable token each time."""
        others = {key: value for key, value in options.items() if _GREEDY.get(key, ...) != value}
        config = self.model.generation_config
        active = [name for name, neutral in _PROCESSORS.items() if getattr(config, name, None) not in neutral]
        if others:
            self._say(f"the generation arguments {', '.join(sorted(others))}")
        elif active:
            self._say(f"the model's own generation settings {', '.join(active)}")
        elif self.think_end_token is not None or self.truncation:
            self._say("think_end_token or truncation")
        else:
            return True
        return False

    def _forward(self) -> Forward | None:
        """Return the fast forward pass, or None if this model must go `hf`'s way."""
        model = self.model
        # A mask or a merged adapter may have replaced the model.
        if self._fast_forward is None or self._fast_forward.model is not model:
            if self._refused is model:
                return None
            reason = self._obstacle()
            head = OutputHead.of(model, self.softmax_dtype or torch.float32) if reason is None else None
            if head is not None:
                device = computing_device(model.get_input_embeddings())
                found = Forward(model, head, device, self._budget().tokens, self.mixed_precision_dtype)
                if found.agrees():
                    self._fast_forward = found
                    return found
                reason = "probabilities that differ from the model's own"
            self._refused = model
            if self.fast:
                self._say(reason or "the lack of output embeddings")
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
        if find_family(getattr(config, "model_type", "")) is None:
            return f"the family {config.model_type}"
        if attention not in _ATTENTION:
            return f"the attention implementation {attention}"
        if str(getattr(getattr(self, "accelerator", None), "distributed_type", "")).endswith("FSDP"):
            return "FSDP"
        return None

    def _say(self, reason: str) -> None:
        if reason not in self._said:
            self._said.add(reason)
            log.warning("computed as lm-eval's hf does, which is slower, because of %s", reason)

    def _budget(self) -> Budget:
        return Budget.of(self.model, computing_device(self.model.get_input_embeddings()), self.memory)

    def _bar(self, what: str, total: int, hidden: bool) -> Any:
        return tqdm(total=total, desc=f"Running {what} requests", disable=hidden or self.rank != 0)
