"""lm-eval's `vllm` by the rules of what a model is given of a text."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.models.utils import postprocess_generated_text, truncate_tokens
from lm_eval.models.vllm_causallms import VLLM
from vllm import SamplingParams, TokensPrompt

from mwork_eval.errors import InputError
from mwork_eval.lm.text_rules import TextRules

log = logging.getLogger(__name__)

_ROOM_LEFT = 2
"""vLLM is asked for a token after each text it scores, and takes no text that fills its context."""


@dataclass(frozen=True)
class _Generation:
    """What vLLM is asked to generate, where answers end, and whether the prompt was cut."""

    prompt: list[int]
    parameters: SamplingParams
    until: list[str]
    is_cut: bool


class TextsVLLM(TextRules, VLLM):  # type: ignore[misc]
    """`vllm` with texts that begin once, options that always have a token, and a count of prompts that are cut.

    Attributes:
        show_progress: Whether vLLM's bars are shown.
    """

    show_progress = True

    def __init__(self, *args: Any, chat_template_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Take every argument of `vllm`."""
        given = dict(chat_template_args or {})
        # `vllm` takes the first one out of the dictionary and forgets it.
        thinking = given.setdefault("enable_thinking", kwargs.get("enable_thinking"))
        super().__init__(*args, chat_template_args=dict(given), **{**kwargs, "enable_thinking": thinking})
        self.enable_thinking = thinking
        self.chat_template_args = {key: value for key, value in given.items() if value is not None}

    @property
    def reads(self) -> int:
        """Tokens vLLM takes of a context with its continuation, all but the last one."""
        return int(self.max_length) - _ROOM_LEFT

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Return log-likelihood and greediness of continuations."""
        if self.enable_thinking:
            return list(super().loglikelihood(requests))  # which refuses it
        encoded = self._encode_choices(requests)
        self._tell_of_truncated(requests, self._lengths(encoded), self.reads)
        return self._loglikelihood_tokens(encoded, disable_tqdm=disable_tqdm)

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of whole texts, in natural logarithms."""
        windows = [(n, window) for n, request in enumerate(requests) for window in self._rolling_windows(*request.args)]
        answers = self._loglikelihood_tokens([(None, *window) for _, window in windows], disable_tqdm=disable_tqdm)
        totals = [0.0] * len(requests)
        for (number, _), (value, _) in zip(windows, answers, strict=True):
            totals[number] += value
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _loglikelihood_tokens(
        self, requests: Sequence[Any], disable_tqdm: bool = False, **options: Any
    ) -> list[tuple[float, bool]]:
        if not requests:
            return []
        sizes = [len(tokens) for _, _, tokens in requests]
        if not 0 < min(sizes) <= max(sizes) <= self.reads:
            raise InputError(
                "a continuation is longer than the model takes" if min(sizes) else "a continuation has no token",
                found=f"{max(sizes)} tokens" if min(sizes) else "nothing to score",
                expected=f"1 to {self.reads} tokens",
            )
        hidden = disable_tqdm or not self.show_progress
        return list(super()._loglikelihood_tokens(list(requests), disable_tqdm=hidden))

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Return generated texts, cut at their stop sequences."""
        asked = [self._generation(request) for request in requests]
        cut = sum(one.is_cut for one in asked)
        if cut:
            side = {"left": "beginning", "right": "end"}.get(self.truncation_side, self.truncation_side)
            log.warning("%d of %d prompts lose their %s for want of room", cut, len(asked), side)
        answers: list[str] = []
        size = len(asked) if self.batch_size == "auto" else int(self.batch_size)
        for begin in range(0, len(asked), max(1, size)):
            some = asked[begin : begin + size]
            found = self._model_generate([one.prompt for one in some], True, [one.parameters for one in some])
            answers += [
                postprocess_generated_text(output.outputs[0].text, one.until, self.think_end_token)
                for one, output in zip(some, found, strict=True)
            ]
        for request, answer in zip(requests, answers, strict=True):
            self.cache_hook.add_partial("generate_until", request.args, answer)
        return answers

    def _generation(self, request: Any) -> "_Generation":
        end = self.tokenizer.decode(self.eot_token_id) if self.eot_token_id is not None else ""
        end = end or self.tokenizer.eos_token
        options, until, longest = self.modify_gen_kwargs(
            request.args[1], eos=end, default_max_gen_toks=self.max_gen_toks
        )
        if not request.args[1].get("do_sample"):
            # Where a task says nothing, `hf` takes the most probable token, and vLLM would draw one.
            options.setdefault("temperature", 0.0)
        self._check_room(str(request.task_name), longest)
        whole, room = list(self._encode_prompt(request.args[0])), self.max_length - longest
        is_cut = self._note_truncated([request], [len(whole)], room) > 0
        prompt = truncate_tokens(whole, room, side=self.truncation_side) if is_cut else whole
        # What ends an answer may stand in the thoughts before it.
        stop = [text for text in until if text == end] if self.think_end_token else until
        try:
            parameters = SamplingParams(max_tokens=longest, stop=stop, **options)
        except (TypeError, ValueError) as error:
            raise InputError(
                "vLLM cannot generate as it is asked to", found=str(error), hint=f"asked with {sorted(options)}"
            ) from error
        return _Generation(prompt, parameters, until, is_cut)

    def _model_generate(self, requests: Any, generate: bool = False, sampling_params: Any = None) -> Any:
        if self.data_parallel_size > 1 or self.show_progress:
            return super()._model_generate(requests, generate, sampling_params)
        if sampling_params is None:
            sampling_params = SamplingParams(temperature=0, prompt_logprobs=1, max_tokens=1, detokenize=False)
        return self.model.generate(
            [TokensPrompt(prompt_token_ids=request) for request in requests],
            sampling_params=sampling_params,
            use_tqdm=False,
            lora_request=self.lora_request,
        )
